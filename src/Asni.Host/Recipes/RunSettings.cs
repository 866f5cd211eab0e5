using Asni.Formats;
using Asni.Methods;

namespace Asni.Host.Recipes;

/// <summary>Which of a file's tensors a parameter is: that of its name, or the next one of its shape where names do not fit.</summary>
internal enum MatchKind { Names, Order }

/// <summary>A recipe while layers of settings are applied to it, and what a run is told besides.</summary>
internal sealed record RunSettings
{
    public Recipe Recipe { get; init; } = new();

    /// <summary>Use only the first training images; null for all.</summary>
    public int? Limit { get; init; }

    /// <summary>Path of the network file that the run starts from; null for a fresh network.</summary>
    public string? Init { get; init; }

    /// <summary>How the file of <see cref="Init"/> is read; null: as suits the method.</summary>
    public MatchKind? Match { get; init; }
    public ZeroWeights? Zeros { get; init; }
    public bool? Strict { get; init; }

    /// <summary>The finished recipe, checked.</summary>
    /// <exception cref="UsageException">One sentence on the first thing wrong.</exception>
    public Recipe Resolve()
    {
        if (Init is null && (Match is not null || Zeros is not null || Strict is not null))
            throw new UsageException("--match, --zeros and --strict say how the file of --init is read, and there is none.");
        if (Limit < 1) throw new UsageException($"a limit of {Limit} images: at least 1 is needed.");
        Recipe.Validate();
        Recipe.ValidateStart(given: Init is not null, pruned: false);
        return Recipe;
    }
}
