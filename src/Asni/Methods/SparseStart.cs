using System.Collections.Immutable;
using Asni.Networks;
using Asni.Pruning;
using Asni.Settings;
using Asni.Tensors;

namespace Asni.Methods;

/// <summary>Which inputs of a unit its initial weights are drawn for.</summary>
public enum FanIn
{
    /// <summary>All, as in a dense network: activations shrink from layer to layer as the square root of the density.</summary>
    All,
    /// <summary>Those that live: standard deviation sqrt(2 / live inputs) for each unit (Evci, Ioannou, Keskin, Dauphin 2022, arXiv 2010.03533).</summary>
    Live,
}

/// <summary>A random mask that training begins with.</summary>
public sealed record SparseStart
{
    /// <summary>Share of the weights that are pruned.</summary>
    public double Sparsity { get; init; } = 0.9;

    /// <summary>Which share of each layer.</summary>
    public AllocationKind Allocation { get; init; } = AllocationKind.Erk;

    /// <summary>In place of the allocation: how dense each layer is beside the others.</summary>
    public LayerDensities? LayerDensities { get; init; }

    /// <summary>Which inputs initial weights are drawn for. Weights that a run is given stay as they are.</summary>
    public FanIn FanIn { get; init; }

    /// <summary>How many weights each layer keeps.</summary>
    internal static Setting<PruningParts> AllocationSetting { get; } = PruningParts.Settings.First(s => s.Key == "allocation") with { Needs = [] };

    internal static ImmutableArray<Setting<SparseStart>> Settings { get; } =
    [
        PruningOptions.SparsitySetting<SparseStart>(s => s.Sparsity, (s, v) => s with { Sparsity = v }),
        AllocationSetting.In<SparseStart>(s => s.Parts, (s, p) => s with { Allocation = p.Allocation }),
        (PruningParts.Settings.First(s => s.Key == "layer-densities") with { Needs = [] }).In<SparseStart>(s => s.Parts, (s, p) => s with { LayerDensities = p.LayerDensities }),
        FanInSetting,
    ];

    internal static Setting<SparseStart> FanInSetting => SettingFactory.Choice<SparseStart, FanIn>("fan-in", "initial weights are drawn for all inputs of a unit, or for its live ones: without batch-norm, deep and very sparse networks need the latter", s => s.FanIn, (s, v) => s with { FanIn = v });

    internal PruningParts Parts => new() { Score = ScoreKind.Random, Allocation = Allocation, LayerDensities = LayerDensities };

    /// <summary>Prunes the model, random weights of each layer by the recipe's seed, and scales those that stay where they are drawn for live inputs.</summary>
    internal void Prune(MethodRun run)
    {
        Parts.CreatePruner(run.Model, run.Recipe.Seed).PruneTo(Sparsity, run.Observer.OnNote);
        if (FanIn == FanIn.Live && run.Given is null) run.Model.Load(ForLiveInputs(run.Model.TakeSnapshot()));
    }

    /// <summary>Weights that were drawn for all inputs, as drawn for each unit's live ones: times sqrt(fan-in / live).</summary>
    internal static TrainedNetwork ForLiveInputs(TrainedNetwork drawn) => drawn with
    {
        Values = [.. drawn.Network.Parameters.Select(p => p.IsWeight && drawn.Masks[p.Index] is { } mask ? Scaled(drawn.Values[p.Index], mask, p.Filter.FanIn) : drawn.Values[p.Index])],
    };

    private static float[] Scaled(float[] weights, Mask mask, int fanIn)
    {
        float[] scaled = [.. weights];
        for (int unit = 0; unit < scaled.Length; unit += fanIn)
        {
            int live = 0;
            for (int i = unit; i < unit + fanIn; i++)
                if (mask[i]) live++;
            if (live == 0) continue;
            var factor = (float)Math.Sqrt((double)fanIn / live);
            foreach (ref float weight in scaled.AsSpan(unit, fanIn)) weight *= factor;
        }
        return scaled;
    }
}
