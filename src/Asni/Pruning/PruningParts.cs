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
    /// <summary>Erdős-Rényi (Mocanu et al. 2018, arXiv 1707.04780): the same of outputs and inputs alone.</summary>
    Er,
    /// <summary>As uniform, with the first convolution dense and at least 20 % of the last layer (Gale, Elsen, Hooker 2019, arXiv 1902.09574).</summary>
    UniformPlus,
    /// <summary>One cut over w^2 by the sum of the squares of the layer's weights that are not smaller (LAMP: Lee et al. 2021, arXiv 2010.07611).</summary>
    Lamp,
    /// <summary>One cut over |w| by the layer's L2 norm.</summary>
    Normalized,
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
        SettingFactory.Choice<PruningParts, AllocationKind>("allocation", "how many each layer keeps: pooled (one cut over all), normalized (one cut, |w| divided by the layer's norm), lamp (one cut over LAMP's scores), uniform (the same density), uniformplus (uniform, but the first convolution dense and 20 % of the last layer), er or erk", o => o.Allocation, (o, v) => o with { Allocation = v }),
        .. PruningOptions.Settings.In<PruningParts, PruningOptions>(o => o, (_, v) => (PruningParts)v).Select(s => s.Key is "local" or "min-kept" ? s with { Needs = [s_pooled] } : s),
    ];

    /// <exception cref="UsageException">Settings exclude each other.</exception>
    internal void Validate()
    {
        if (Allocation == AllocationKind.Pooled) return;
        string name = SettingText.Name(Allocation);
        if (Local || MinimumKept > 0) throw new UsageException($"local and min-kept need the pooled allocation; this one is {name}.");
        if (Biases && Allocation is (AllocationKind.Er or AllocationKind.Erk)) throw new UsageException($"{name} has no density for a bias: prune-biases needs another allocation.");
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
        AllocationKind.Er => new Erk(kernel: false),
        AllocationKind.UniformPlus => new UniformPlus(),
        AllocationKind.Lamp => new Lamp(),
        AllocationKind.Normalized => new Normalized(),
        _ => throw new InvalidOperationException($"no such allocation: {Allocation}"),
    };
}
