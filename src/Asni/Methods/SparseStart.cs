using System.Collections.Immutable;
using Asni.Pruning;
using Asni.Settings;

namespace Asni.Methods;

/// <summary>A random mask that training begins with.</summary>
public sealed record SparseStart
{
    /// <summary>Share of the weights that are pruned.</summary>
    public double Sparsity { get; init; } = 0.9;

    /// <summary>Which share of each layer.</summary>
    public AllocationKind Allocation { get; init; } = AllocationKind.Erk;

    /// <summary>In place of the allocation: how dense each layer is beside the others.</summary>
    public LayerDensities? LayerDensities { get; init; }

    /// <summary>How many weights each layer keeps.</summary>
    internal static Setting<PruningParts> AllocationSetting { get; } = PruningParts.Settings.First(s => s.Key == "allocation") with { Needs = [] };

    internal static ImmutableArray<Setting<SparseStart>> Settings { get; } =
    [
        PruningOptions.SparsitySetting<SparseStart>(s => s.Sparsity, (s, v) => s with { Sparsity = v }),
        AllocationSetting.In<SparseStart>(s => s.Parts, (s, p) => s with { Allocation = p.Allocation }),
        (PruningParts.Settings.First(s => s.Key == "layer-densities") with { Needs = [] }).In<SparseStart>(s => s.Parts, (s, p) => s with { LayerDensities = p.LayerDensities }),
    ];

    internal PruningParts Parts => new() { Score = ScoreKind.Random, Allocation = Allocation, LayerDensities = LayerDensities };

    /// <summary>Prunes the model, random weights of each layer by the recipe's seed.</summary>
    internal void Prune(MethodRun run) => Parts.CreatePruner(run.Model, run.Recipe.Seed).PruneTo(Sparsity, run.Observer.OnNote);
}
