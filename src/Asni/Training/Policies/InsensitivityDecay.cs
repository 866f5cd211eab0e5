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
    private bool _hasOnes;

    /// <summary>The value that g belongs to falls before the update moves it. One number of each element is the constant 1, in a slot that nobody else has here.</summary>
    public void AfterBackward(in StepPoint at)
    {
        if (lambda == 0) return;
        DeviceParameters parameters = model.Parameters;
        if (!_hasOnes) UploadOnes();
        Combine(ElementFunction.Identity, ParameterSlot.Value, ParameterSlot.Score, 1, 0);
        Combine(ElementFunction.Absolute, ParameterSlot.Gradient, ParameterSlot.Value, -1, 0);
        Combine(ElementFunction.Identity, ParameterSlot.Gate, ParameterSlot.Value, 1, 1);
        // max(0, y) = (y + |y|) / 2, exactly.
        Combine(ElementFunction.Absolute, ParameterSlot.Value, ParameterSlot.Master, 1, 0);
        Combine(ElementFunction.Identity, ParameterSlot.Master, ParameterSlot.Value, 0.5f, 0.5f);
        Combine(ElementFunction.Product, ParameterSlot.Score, ParameterSlot.Score, -(float)lambda, 1);
        Combine(ElementFunction.Identity, ParameterSlot.Score, ParameterSlot.Value, 1, 0);

        void Combine(ElementFunction function, ParameterSlot x, ParameterSlot y, float a, float b) => parameters.Combine(_indices, function, x, y, a, b);
    }

    public PruneOutcome? AfterStep(in StepPoint at) => null;

    public PruneOutcome? BetweenEpochs(in StepPoint at) => small.Apply();

    public PruneOutcome? Finish(in StepPoint at) => small.Apply();

    private void UploadOnes()
    {
        foreach (Parameter p in model.Network.Weights)
        {
            var ones = new float[p.Elements];
            Array.Fill(ones, 1);
            model.Parameters.Upload(p.Index, ParameterSlot.Gate, ones);
        }
        _hasOnes = true;
    }
}
