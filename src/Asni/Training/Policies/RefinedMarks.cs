using Asni.Devices;
using Asni.Engine;
using Asni.Pruning;

namespace Asni.Training.Policies;

/// <summary>
/// Sparse-refined straight-through estimator (Zhou et al. 2021, arXiv 2102.04010, equation 9): the gradient of the marked weights is taken for that of all, and lambda w is added for those that are
/// not marked, so that marks settle.
/// </summary>
internal sealed class RefinedMarks(Model model, Pruner pruner, double sparsity, double lambda, long last, Action<TrainingNote> note) : MarkedWeights(model, pruner, sparsity, last, note)
{
    private readonly double _sparsity = sparsity;

    protected override void Mark(in StepPoint at) => Pruner.Mark(_sparsity);

    protected override void Restore()
    {
        base.Restore();
        WriteUnmarked(ParameterSlot.Gate);
        Model.Parameters.Combine(Indices, ElementFunction.Identity, ParameterSlot.Score, ParameterSlot.Gradient, a: (float)lambda, b: 1);
    }
}
