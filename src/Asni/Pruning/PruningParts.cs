using System.Collections.Immutable;
using Asni.Settings;

namespace Asni.Pruning;

/// <summary>What weights are worth: the largest stay.</summary>
public enum ScoreKind
{
    /// <summary>|w|.</summary>
    Magnitude,
    /// <summary>Random numbers of the recipe's seed: the control.</summary>
    Random,
}

/// <summary>How the weights that stay are shared out between layers.</summary>
public enum AllocationKind
{
    /// <summary>One cut over all.</summary>
    Pooled,
    /// <summary>The same density in each layer.</summary>
    Uniform,
    /// <summary>Erdős-Rényi kernel (Evci et al. 2020, arXiv 1911.11134): density in proportion to the sum of a layer's dimensions by their product.</summary>
    Erk,
}

/// <summary>Pruning whose score and allocation are chosen.</summary>
public sealed record PruningParts : PruningOptions
{
    private static readonly Need<PruningParts> s_pooled = new("allocation", "pooled", o => o.Allocation == AllocationKind.Pooled);

    public ScoreKind Score { get; init; }
    public AllocationKind Allocation { get; init; }

    internal static new ImmutableArray<Setting<PruningParts>> Settings { get; } =
    [
        SettingFactory.Choice<PruningParts, ScoreKind>("score", "which weights stay: those of largest magnitude, or random ones", o => o.Score, (o, v) => o with { Score = v }),
        SettingFactory.Choice<PruningParts, AllocationKind>("allocation", "how many each layer keeps: pooled (one cut over all), uniform (the same density) or erk", o => o.Allocation, (o, v) => o with { Allocation = v }),
        .. PruningOptions.Settings.In<PruningParts, PruningOptions>(o => o, (_, v) => (PruningParts)v).Select(s => s.Key is "local" or "min-kept" ? s with { Needs = [s_pooled] } : s),
    ];

    /// <exception cref="UsageException">Settings exclude each other.</exception>
    internal void Validate()
    {
        if (Allocation == AllocationKind.Pooled) return;
        string name = Allocation.ToString().ToLowerInvariant();
        if (Local || MinimumKept > 0) throw new UsageException($"local and min-kept need the pooled allocation; this one is {name}.");
        if (Biases && Allocation == AllocationKind.Erk) throw new UsageException("erk has no density for a bias: prune-biases needs another allocation.");
    }

    internal override IScore NewScore(ulong seed) => Score switch
    {
        ScoreKind.Magnitude => base.NewScore(seed),
        ScoreKind.Random => new RandomScore(seed),
        _ => throw new InvalidOperationException($"no such score: {Score}"),
    };

    internal override IAllocation NewAllocation() => Allocation switch
    {
        AllocationKind.Pooled => base.NewAllocation(),
        AllocationKind.Uniform => new Uniform(),
        AllocationKind.Erk => new Erk(),
        _ => throw new InvalidOperationException($"no such allocation: {Allocation}"),
    };
}
