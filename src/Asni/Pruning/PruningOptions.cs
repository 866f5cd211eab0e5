using System.Collections.Immutable;
using Asni.Engine;
using Asni.Settings;

namespace Asni.Pruning;

/// <summary>What magnitude pruning may take. The defaults are those of the ASNI paper: one threshold over all weights.</summary>
public record PruningOptions
{
    /// <summary>Each layer to the target sparsity by itself, instead of one threshold over all.</summary>
    public bool Local { get; init; }

    /// <summary>Biases are pruned with the weights (and then count into the sparsity).</summary>
    public bool Biases { get; init; }

    /// <summary>Weights that each layer keeps whatever the threshold says (a layer with fewer keeps what it has); 0: no such floor.</summary>
    public int MinimumKept { get; init; }

    /// <param name="seed">Of scores that are random.</param>
    internal Pruner CreatePruner(Model model, ulong seed) => CreatePruner(model, NewScore(seed));

    internal virtual Pruner CreatePruner(Model model, IScore score) => new(model, score, NewAllocation(), Biases);

    /// <param name="seed">Of scores that are random.</param>
    internal virtual IScore NewScore(ulong seed) => new Magnitude();

    internal virtual IAllocation NewAllocation() => Local ? new Local() : new Pooled(MinimumKept);

    /// <summary>The setting of the sparsity that a method ends with.</summary>
    internal static Setting<T> SparsitySetting<T>(Func<T, double?> get, Func<T, double, T> set) =>
        SettingFactory.Number("sparsity", "final sparsity, the share of weights that are pruned: 0.97 for 97 %", get, set, "[0, 1)");

    internal static ImmutableArray<Setting<PruningOptions>> Settings { get; } =
    [
        SettingFactory.Switch<PruningOptions>("local", "prune each layer to the target sparsity instead of all layers together", o => o.Local, (o, v) => o with { Local = v }),
        SettingFactory.Switch<PruningOptions>("prune-biases", "prune biases together with the weights", o => o.Biases, (o, v) => o with { Biases = v }),
        SettingFactory.Integer<PruningOptions>("min-kept", "minimum number of weights that each layer keeps", o => o.MinimumKept, (o, v) => o with { MinimumKept = v }, "[0, inf)"),
    ];
}
