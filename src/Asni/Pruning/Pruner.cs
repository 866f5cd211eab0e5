using System.Collections.Immutable;
using Asni.Devices;
using Asni.Engine;
using Asni.Networks;
using Asni.Tensors;

namespace Asni.Pruning;

/// <summary>What one pruning did.</summary>
/// <param name="Threshold">Smallest cut that was applied, a magnitude or a score; null when nothing had to go.</param>
/// <param name="Kept">Live elements among all that can be pruned.</param>
internal readonly record struct PruneOutcome(double? Threshold, long Kept);

/// <summary>Prunes a model to a sparsity: the weights with the largest score stay, as many in each tensor as the allocation says. Pruned elements return only when all do.</summary>
/// <param name="biases">Biases are pruned with the weights.</param>
internal sealed class Pruner(Model model, IScore score, IAllocation allocation, bool biases = false, WeightPattern? pattern = null)
{
    // A floor is advised where the allocation has one.
    private readonly SparseLayerNotes _sparse = new(allocation is Pooled ? TrainingNoteKind.SparseLayer : TrainingNoteKind.Information);
    private readonly WeightPattern _pattern = pattern ?? WeightPattern.Weight;

    private bool _remarked;

    /// <summary>Whose elements can be pruned.</summary>
    public ImmutableArray<Parameter> Tensors { get; } = [.. model.Network.Parameters.Where(p => p.IsWeight || (biases && p.Kind == ParameterKind.Bias))];

    /// <summary>Elements that can be pruned, N.</summary>
    public long Total => Tensors.Sum(p => p.Elements);

    /// <summary>Prunes to sparsity S, never reviving anything: a target below what is already pruned does nothing.</summary>
    /// <param name="note">Told once of layers that a pattern leaves alone, and of each one that is close to empty or empty.</param>
    public PruneOutcome PruneTo(double sparsity, Action<TrainingNote> note)
    {
        if (!_remarked && _pattern.Remark(Tensors) is { } remark)
        {
            note(new(remark));
            _remarked = true;
        }
        Selection selection = NewSelection();
        Quota[] quotas = [.. allocation.Quotas(Tensors, sparsity, selection)];
        double? threshold = quotas.Select(q => selection.Keep(q.Tensors, q.Kept)).Min();
        foreach (Parameter p in Tensors) _sparse.Tell(p, selection.Live(p), note);
        return new PruneOutcome(threshold, selection.Live(Tensors));
    }

    /// <summary>The masks that <see cref="PruneTo"/> would leave now, by parameter index; null of parameters that are not pruned. Nothing is changed.</summary>
    public ImmutableArray<Mask?> Preview(double sparsity)
    {
        Selection selection = NewSelection();
        var masks = new Mask?[model.Network.Parameters.Length];
        foreach (Quota quota in allocation.Quotas(Tensors, sparsity, selection))
            foreach ((Parameter p, Mask mask) in selection.Choose(quota.Tensors, quota.Kept)) masks[p.Index] = mask;
        return [.. masks];
    }

    /// <summary>Makes the gates of the weights that <see cref="PruneTo"/> would keep now 1, and those of the others 0.</summary>
    public void Mark(double sparsity)
    {
        Selection selection = NewSelection();
        foreach (Quota quota in allocation.Quotas(Tensors, sparsity, selection)) selection.Mark(quota.Tensors, quota.Kept);
    }

    /// <summary>All of them live again: those that were pruned from +0, with optimizer state +0.</summary>
    public PruneOutcome Revive()
    {
        foreach (Parameter p in Tensors) model.Parameters.SetMask(p.Index, null);
        return new PruneOutcome(null, Total);
    }

    private Selection NewSelection() => _pattern.Select(model.Parameters, score.Write(model, Tensors));
}
