using Asni.Engine;

namespace Asni.Pruning;

/// <summary>
/// Magnitude pruning to an exact count: K = N - round(S * N) elements stay, the largest by |w| over all tensors together (or per layer),
/// ties by lower index. Pruned elements never return.
/// </summary>
internal sealed class MagnitudePruner(Model model, PruningOptions options)
{
    private readonly Pruner _pruner = new(model, new Magnitude(), options.NewAllocation(), options.Biases);

    /// <summary>Elements that can be pruned, N.</summary>
    public long Total => _pruner.Total;

    /// <summary>Prunes to sparsity S, never reviving anything: a target below what is already pruned does nothing.</summary>
    /// <param name="note">Told once of each layer that is close to empty or empty.</param>
    public PruneOutcome PruneTo(double sparsity, Action<TrainingNote> note) => _pruner.PruneTo(sparsity, note);

    /// <summary>K of algorithm and tests: N - round(S * N), halves away from zero.</summary>
    public static long Keep(long total, double sparsity) => Quota.At(sparsity, total);
}
