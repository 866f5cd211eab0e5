using System.Collections.Immutable;
using Asni.Engine;
using Asni.Networks;
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

/// <summary>Pruning whose score, allocation and pattern are chosen.</summary>
public sealed record PruningParts : PruningOptions
{
    private static readonly Need<PruningParts> s_pooled = new("allocation", "pooled", o => o.Allocation == AllocationKind.Pooled);
    private static readonly Need<PruningParts> s_sharedOut = new("pattern", "weight or blockRxC", o => !o.Pattern.HasSparsity);
    private static readonly Need<PruningParts> s_single = new("pattern", "weight", o => o.Pattern == WeightPattern.Weight);

    public ScoreKind Score { get; init; }
    public AllocationKind Allocation { get; init; }

    /// <summary>In place of the allocation: how dense each layer is beside the others; null: as the allocation has it.</summary>
    public LayerDensities? LayerDensities { get; init; }

    /// <summary>Where the weights that stay may lie. N:M has a sparsity of its own, which takes the place of the method's.</summary>
    public WeightPattern Pattern { get; init; } = WeightPattern.Weight;

    internal static new ImmutableArray<Setting<PruningParts>> Settings { get; } =
    [
        SettingFactory.Choice<PruningParts, ScoreKind>("score", "which weights stay: those of largest magnitude, or random ones", o => o.Score, (o, v) => o with { Score = v }),
        SettingFactory.Choice<PruningParts, AllocationKind>("allocation", "how many each layer keeps: pooled (one cut over all), normalized (one cut, |w| divided by the layer's norm), lamp (one cut over LAMP's scores), uniform (the same density), uniformplus (uniform, but the first convolution dense and 20 % of the last layer), er or erk", o => o.Allocation, (o, v) => o with { Allocation = v }) with { Needs = [s_sharedOut] },
        new("layer-densities", "how dense each layer is beside the others, in the order of the network, scaled to the sparsity: 0.08,0.23,1 or the layers.csv of a run; in place of an allocation", (o, text) => o with { LayerDensities = LayerDensities.Parse(text) }, o => o.LayerDensities?.ToString())
            { Values = LayerDensities.Values, Needs = [s_pooled, s_sharedOut] },
        new("pattern", "which weights go together: weight (each by itself), N:M (of each M along a layer's inputs N stay, which gives the sparsity), blockRxC (cells of R outputs by C inputs)", (o, text) => o with { Pattern = WeightPattern.Parse(text) }, o => o.Pattern.ToString())
            { Values = WeightPattern.Values },
        .. PruningOptions.Settings.In<PruningParts, PruningOptions>(o => o, (_, v) => (PruningParts)v).Select(s => s with { Needs = NeedsOf(s.Key) }),
    ];

    /// <exception cref="UsageException">Settings exclude each other.</exception>
    internal void Validate()
    {
        Pattern.Validate(this);
        if (LayerDensities is not null && (Allocation != AllocationKind.Pooled || Pattern.HasSparsity))
            throw new UsageException($"layer-densities says what each layer keeps, and so {(Pattern.HasSparsity ? $"does the pattern {Pattern}" : $"does the allocation {SettingText.Name(Allocation)}")}.");
        if (LayerDensities is not null && (Local || MinimumKept > 0 || Biases)) throw new UsageException("layer-densities says what each layer keeps: local, min-kept and prune-biases go without it.");
        if (Allocation == AllocationKind.Pooled) return;
        string name = SettingText.Name(Allocation);
        if (Local || MinimumKept > 0) throw new UsageException($"local and min-kept need the pooled allocation; this one is {name}.");
        if (Biases && Allocation is (AllocationKind.Er or AllocationKind.Erk)) throw new UsageException($"{name} has no density for a bias: prune-biases needs another allocation.");
    }

    /// <summary>The sparsity to prune to, where a method is asked for one.</summary>
    internal double Target(double asked) => Pattern.Target(asked);

    internal override IScore NewScore(ulong seed) => Score switch
    {
        ScoreKind.Magnitude => base.NewScore(seed),
        ScoreKind.Random => new RandomScore(seed),
        _ => throw new InvalidOperationException($"no such score: {Score}"),
    };

    internal override Pruner CreatePruner(Model model, IScore score) => new(model, score, NewAllocation(), Biases, Pattern);

    /// <exception cref="UsageException">They do not suit the network.</exception>
    internal void Validate(Network network)
    {
        Pattern.Validate(network);
        LayerDensities?.Validate(network);
    }

    internal override IAllocation NewAllocation() => Pattern.Allocation ?? LayerDensities?.Allocation ?? Allocation switch
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

    private static ImmutableArray<Need<PruningParts>> NeedsOf(string key) => key switch
    {
        "local" => [s_pooled, s_sharedOut],
        "min-kept" => [s_pooled, s_single],
        _ => [s_sharedOut],
    };
}
