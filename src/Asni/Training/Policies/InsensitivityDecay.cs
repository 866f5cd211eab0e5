using Asni.Devices;
using Asni.Engine;
using Asni.Networks;
using Asni.Pruning;

namespace Asni.Training.Policies;

/// <summary>
/// LOBSTER's regularization (Tartaglione, Bragagnolo, Fiandrotti, Grangetto 2022, arXiv 2011.09905): w &lt;- w - lambda w max(0, 1 - s) beside each update, s = |g|, so that weights to
/// which the loss is insensitive fall; after each epoch those of the smallest magnitude are pruned. Where s is the label's logit's, it is that of SDR (Tartaglione, Lepsoy, Fiandrotti,
/// Francini 2018, arXiv 1810.11764).
/// </summary>
/// <param name="small">What is pruned.</param>
/// <param name="logits">Null: s is the loss's.</param>
internal sealed class InsensitivityDecay(Model model, double lambda, FloorCut small, BatchGradient? logits = null) : IMaskPolicy
{
    /// <summary>Where s is, with a sign. Nobody else has gates here.</summary>
    private readonly ParameterSlot _sensitivity = logits is null ? ParameterSlot.Gradient : ParameterSlot.GateGradient;

    private readonly int[] _indices = [.. model.Network.Weights.Select(p => p.Index)];

    public StepNeeds BeforeStep(in StepPoint at)
    {
        if (lambda != 0) logits?.Write(LogitLosses.LabelMean, _sensitivity);
        return default;
    }

    /// <summary>The value that g belongs to falls before the update moves it.</summary>
    public void AfterBackward(in StepPoint at)
    {
        if (lambda != 0) model.Parameters.Combine(_indices, ElementFunction.Insensitive, _sensitivity, ParameterSlot.Value, -(float)lambda, 1);
    }

    public PruneOutcome? AfterStep(in StepPoint at) => null;

    public PruneOutcome? BetweenEpochs(in StepPoint at) => small.Apply();

    public PruneOutcome? Finish(in StepPoint at) => small.Apply();
}
