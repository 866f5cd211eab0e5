using Asni.Pruning;

namespace Asni.Training.Policies;

/// <summary>
/// Iterative hard thresholding: x &lt;- H_K(x - gamma g(x)). A step that ends in a cut keeps the K largest and sets the rest, with its optimizer state, to 0; the next one computes
/// the gradient of all elements at what the cut left, lifts the masks and updates all. The last step cuts, and its masks stay.
/// </summary>
/// <param name="cuts">Steps that end in a cut, the phase's last one among them.</param>
/// <param name="note">Told of layers close to empty.</param>
internal sealed class HardThresholding(Pruner pruner, double sparsity, Cadence cuts, Action<TrainingNote> note) : IMaskPolicy
{
    public StepNeeds BeforeStep(in StepPoint at) => new(DenseGradient: IsSparse(at), ReplacesUpdate: false);

    public void AfterBackward(in StepPoint at)
    {
        if (IsSparse(at)) pruner.Revive();
    }

    public PruneOutcome? AfterStep(in StepPoint at) => cuts.IsDue(at.Done) ? pruner.PruneTo(sparsity, note) : null;

    public PruneOutcome? BetweenEpochs(in StepPoint at) => null;

    /// <summary>The step before this one ended in a cut.</summary>
    private bool IsSparse(in StepPoint at) => cuts.IsDue(at.Done - 1);
}
