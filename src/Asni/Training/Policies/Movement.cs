using Asni.Devices;
using Asni.Engine;
using Asni.Networks;
using Asni.Pruning;

namespace Asni.Training.Policies;

/// <summary>
/// Leaves in the score slot the sum of -w g over the steps so far, g the gradient of each step's batch: positive where weights move away from 0, negative where they move towards it
/// (Sanh, Wolf, Rush 2020, arXiv 2005.07683). Pruned elements have 0.
/// </summary>
/// <param name="tensors">Whose elements are scored.</param>
/// <param name="last">Steps after which nobody asks any more.</param>
internal sealed class Movement(Model model, IReadOnlyCollection<Parameter> tensors, long last) : IMaskPolicy
{
    private readonly int[] _indices = [.. tensors.Select(p => p.Index)];
    private readonly SlotState _scores = new(model, ParameterSlot.Score, "movement", tensors);

    public void AfterBackward(in StepPoint at)
    {
        if (at.Done <= last) model.Parameters.Combine(_indices, ElementFunction.Product, ParameterSlot.Gradient, ParameterSlot.Score, a: -1, b: at.Done == 1 ? 0 : 1);
    }

    public PruneOutcome? AfterStep(in StepPoint at) => null;

    public PruneOutcome? BetweenEpochs(in StepPoint at) => null;

    public PolicyState? Save() => _scores.Save();

    public void Restore(PolicyState state) => _scores.Restore(state);
}
