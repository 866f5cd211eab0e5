using Asni.Devices;
using Asni.Engine;
using Asni.Optimizers;
using Asni.Pruning;

namespace Asni.Training.Policies;

/// <summary>
/// Proximal gradient descent of L + lambda |w|_1: after each update w &lt;- sign(w) max(0, |w| - lr lambda) (Parikh, Boyd 2014, Proximal Algorithms, section 4.2). A weight that
/// has become 0 may return; at the end those that are 0 are pruned.
/// </summary>
/// <param name="rate">lr, of the phase.</param>
internal sealed class SoftThresholding(Model model, LearningRate rate, double lambda, FloorCut zeros) : IMaskPolicy
{
    private readonly int[] _indices = [.. model.Network.Weights.Select(p => p.Index)];

    public PruneOutcome? AfterStep(in StepPoint at)
    {
        var thresholds = new float[_indices.Length];
        Array.Fill(thresholds, (float)(rate.GetRate(at.Epoch, at.Epochs) * lambda));
        model.Parameters.MapValues(_indices, new ElementMap(MapFunction.SoftThreshold), thresholds);
        return null;
    }

    public long? Counted { get; private set; }

    /// <summary>Those that are not 0.</summary>
    public void BeforeEvaluation(in StepPoint at)
    {
        var sums = new SignStatistics[_indices.Length];
        model.Parameters.SumBySign(_indices, new float[_indices.Length], sums);
        Counted = sums.Sum(s => s.CountAbove + s.CountBelow);
    }

    public PruneOutcome? BetweenEpochs(in StepPoint at) => null;

    public PruneOutcome? Finish(in StepPoint at) => zeros.Apply();
}
