using System.Collections.Immutable;
using Asni.Pruning;
using Asni.Settings;

namespace Asni.Methods;

/// <summary>A training of all weights of which some are marked to stay, and are what is left after a share of it.</summary>
public sealed record MarkedStart
{
    /// <summary>Of the delivered network.</summary>
    public double Sparsity { get; init; } = 0.9;

    /// <summary>How the weights that stay are shared out.</summary>
    public AllocationKind Allocation { get; init; } = AllocationKind.Uniform;

    /// <summary>Share of the run after which the network is pruned.</summary>
    public double Cut { get; init; } = 0.75;

    internal static Setting<MarkedStart> CutSetting { get; } =
        SettingFactory.Number<MarkedStart>("cut-at", "share of the run after which what is not marked is pruned", s => s.Cut, (s, v) => s with { Cut = v }, "(0, 1]");

    internal static ImmutableArray<Setting<MarkedStart>> Settings { get; } =
    [
        PruningOptions.SparsitySetting<MarkedStart>(s => s.Sparsity, (s, v) => s with { Sparsity = v }),
        SparseStart.AllocationSetting.In<MarkedStart>(s => s.Parts, (s, p) => s with { Allocation = p.Allocation }),
        CutSetting,
    ];

    private PruningParts Parts => new() { Allocation = Allocation };

    internal Pruner Pruner(MethodRun run) => Parts.CreatePruner(run.Model, run.Recipe.Seed);

    /// <summary>The step after which it is cut.</summary>
    internal long Last(MethodRun run) => Math.Max(1, (long)Math.Round(Cut * run.Recipe.Epochs * run.StepsPerEpoch));
}
