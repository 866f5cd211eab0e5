using Asni.Devices;
using Asni.Engine;
using Asni.Networks;
using Asni.Pruning;

namespace Asni.Training.Policies;

/// <summary>
/// LOBSTER's regularization (Tartaglione, Bragagnolo, Fiandrotti, Grangetto 2022, arXiv 2011.09905): w &lt;- w - lambda w max(0, 1 - |g|) beside each update, so that weights to which
/// the loss is insensitive fall; after each epoch those of the smallest magnitude are pruned.
/// </summary>
/// <param name="small">What is pruned.</param>
internal sealed class InsensitivityDecay(Model model, double lambda, FloorCut small) : IMaskPolicy
{
    private readonly int[] _indices = [.. model.Network.Weights.Select(p => p.Index)];

    /// <summary>The value that g belongs to falls before the update moves it.</summary>
    public void AfterBackward(in StepPoint at)
    {
        if (lambda != 0) model.Parameters.Combine(_indices, ElementFunction.Insensitive, ParameterSlot.Gradient, ParameterSlot.Value, -(float)lambda, 1);
    }

    public PruneOutcome? AfterStep(in StepPoint at) => null;

    public PruneOutcome? BetweenEpochs(in StepPoint at) => small.Apply();

    public PruneOutcome? Finish(in StepPoint at) => small.Apply();
}
