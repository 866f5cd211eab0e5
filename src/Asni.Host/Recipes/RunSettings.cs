using Asni.Formats;
using Asni.Methods;

namespace Asni.Host.Recipes;

/// <summary>Which of a file's tensors a parameter is: that of its name, or the next one of its shape where names do not fit.</summary>
internal enum MatchKind { Names, Order }

/// <summary>A recipe while layers of settings are applied to it: what the layers asked for that only the finished recipe can answer.</summary>
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

    /// <summary>The final sparsity asked for, instead of the schedule's mag1.</summary>
    public double? Sparsity { get; init; }

    /// <summary>ASNI-II's own learning rate and cosine stretch; null for those of ASNI-I.</summary>
    public double? RetrainRate { get; init; }
    public double? RetrainStretch { get; init; }

    /// <summary>The finished recipe, checked.</summary>
    /// <exception cref="UsageException">One sentence on the first thing wrong.</exception>
    public Recipe Resolve()
    {
        Recipe recipe = Recipe;
        if (RetrainRate is not null || RetrainStretch is not null)
        {
            recipe = recipe with
            {
                RetrainLearningRate = recipe.LearningRate with
                {
                    Initial = RetrainRate ?? recipe.LearningRate.Initial,
                    CosineStretch = RetrainStretch ?? recipe.LearningRate.CosineStretch,
                },
            };
        }
        if (Init is null && (Match is not null || Zeros is not null || Strict is not null))
            throw new UsageException("--match, --zeros and --strict say how the file of --init is read, and there is none.");
        if (Limit < 1) throw new UsageException($"a limit of {Limit} images: at least 1 is needed.");
        recipe = recipe with { Schedule = recipe.Schedule with { Epochs = recipe.Epochs } };
        // The schedule's own checks come first: a final sparsity cannot be asked of one that makes no sense.
        (recipe with { Schedule = recipe.Schedule with { Mag1 = 0, Mag2 = 0 } }).Validate();
        if (Sparsity is { } sparsity && recipe.Prunes) recipe = recipe with { Schedule = recipe.Schedule.WithFinal(sparsity) };
        recipe.Validate();
        return recipe;
    }
}
