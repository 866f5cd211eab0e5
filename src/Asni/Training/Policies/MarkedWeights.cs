using Asni.Devices;
using Asni.Engine;
using Asni.Pruning;

namespace Asni.Training.Policies;

/// <summary>
/// Trains all weights of which the network computes with the marked ones alone, until a step; there it is pruned, and the rest of the phase trains what stays. Marks are gates of 0 and 1.
/// </summary>
/// <param name="pruner">Of the cut.</param>
/// <param name="last">The step after whose update the network is pruned.</param>
/// <param name="note">Told of layers close to empty.</param>
internal abstract class MarkedWeights(Model model, Pruner pruner, double sparsity, long last, Action<TrainingNote> note) : IMaskPolicy
{
    private static readonly ElementMap s_marked = new(MapFunction.LinearGate);
    private bool _mapped;

    public long? Counted { get; private set; }

    protected Model Model { get; } = model;

    protected Pruner Pruner { get; } = pruner;

    /// <summary>Of all weights.</summary>
    protected int[] Indices { get; } = [.. pruner.Tensors.Select(p => p.Index)];

    public StepNeeds BeforeStep(in StepPoint at)
    {
        if (at.Done > last) return default;
        Mark(at);
        Model.Parameters.MapValues(Indices, s_marked);
        return default;
    }

    public void AfterBackward(in StepPoint at)
    {
        if (at.Done <= last) Restore();
    }

    public PruneOutcome? AfterStep(in StepPoint at)
    {
        if (at.Done <= last) AfterUpdate();
        return at.Done == last ? Pruner.PruneTo(sparsity, note) : null;
    }

    public PruneOutcome? BetweenEpochs(in StepPoint at) => null;

    public void BeforeEvaluation(in StepPoint at)
    {
        _mapped = at.Done < last;
        Counted = null;
        if (!_mapped) return;
        MarkEvaluated(at);
        var sums = new SignStatistics[Indices.Length];
        Model.Parameters.SumBySign(Indices, new float[Indices.Length], sums, ParameterSlot.Gate);
        Counted = sums.Sum(s => s.CountAbove);
        Model.Parameters.MapValues(Indices, s_marked);
    }

    public void AfterEvaluation()
    {
        if (_mapped) Model.Parameters.RestoreValues(Indices);
    }

    /// <summary>A run that stops early delivers a pruned network too.</summary>
    public PruneOutcome? Finish(in StepPoint at) => at.Done < last ? Pruner.PruneTo(sparsity, note) : null;

    public virtual PolicyState? Save() => null;

    public virtual void Restore(PolicyState state) { }

    /// <summary>Writes the gates before a step.</summary>
    protected abstract void Mark(in StepPoint at);

    /// <summary>Writes the gates of the network as it is evaluated.</summary>
    protected virtual void MarkEvaluated(in StepPoint at) => Pruner.Mark(sparsity);

    /// <summary>After the backward pass: values are the weights again. Here the gradient of what the network computes with is taken for that of the weights (straight-through).</summary>
    protected virtual void Restore() => Model.Parameters.RestoreValues(Indices);

    /// <summary>After the optimizer's update.</summary>
    protected virtual void AfterUpdate() { }

    /// <summary>Values are the weights again, with their gradient where they are marked now, and 0 for the others.</summary>
    protected void RestoreMarked() => Model.Parameters.MapGradients(Indices, s_marked);

    /// <summary>Leaves in the score slot each weight that has no mark, exactly, and 0 for the others.</summary>
    protected void WriteUnmarked(ParameterSlot marks)
    {
        Model.Parameters.Combine(Indices, ElementFunction.Identity, ParameterSlot.Value, ParameterSlot.Score);
        Model.Parameters.Combine(Indices, ElementFunction.Product, marks, ParameterSlot.Score, a: -1, b: 1);
    }

    /// <summary>Leaves the values that are marked now; the others become 0.</summary>
    protected void KeepMarked() => Model.Parameters.MapValues(Indices, s_marked);
}
