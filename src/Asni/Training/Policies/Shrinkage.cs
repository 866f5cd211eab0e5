using Asni.Devices;
using Asni.Engine;
using Asni.Pruning;

namespace Asni.Training.Policies;

/// <summary>
/// Iterative soft shrinkage (Zhang et al. 2023, arXiv 2303.09650): after each update all weights but those that would be kept are multiplied by r; after a step the network is pruned, and
/// the rest of the phase trains what stays.
/// </summary>
/// <param name="ratio">r: 1 changes nothing, 0 is hard thresholding.</param>
/// <param name="last">The step after which it is pruned.</param>
/// <param name="note">Told of layers close to empty.</param>
internal sealed class Shrinkage(Model model, Pruner pruner, double sparsity, double ratio, long last, Action<TrainingNote> note) : IMaskPolicy
{
    private readonly int[] _indices = [.. pruner.Tensors.Select(p => p.Index)];

    public PruneOutcome? AfterStep(in StepPoint at)
    {
        if (at.Done == last) return pruner.PruneTo(sparsity, note);
        if (at.Done < last && ratio != 1) Shrink();
        return null;
    }

    public PruneOutcome? BetweenEpochs(in StepPoint at) => null;

    public PruneOutcome? Finish(in StepPoint at) => at.Done < last ? pruner.PruneTo(sparsity, note) : null;

    private void Shrink()
    {
        DeviceParameters parameters = model.Parameters;
        pruner.Mark(sparsity);
        // What is marked stays as it is, bit for bit: 0 is added to it.
        parameters.MapValues(_indices, new ElementMap(MapFunction.LinearGate));
        if (ratio == 0) return;
        parameters.Combine(_indices, ElementFunction.Identity, ParameterSlot.Master, ParameterSlot.Score);
        parameters.Combine(_indices, ElementFunction.Identity, ParameterSlot.Value, ParameterSlot.Score, a: -1, b: 1);
        parameters.Combine(_indices, ElementFunction.Identity, ParameterSlot.Score, ParameterSlot.Value, a: (float)ratio, b: 1);
    }
}
