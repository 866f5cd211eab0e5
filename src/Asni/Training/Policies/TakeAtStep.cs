using Asni.Pruning;

namespace Asni.Training.Policies;

/// <summary>Leaves the masks as they are, and does something once after so many steps.</summary>
internal sealed class TakeAtStep(long step, Action take) : IMaskPolicy
{
    public PruneOutcome? AfterStep(in StepPoint at)
    {
        if (at.Done == step) take();
        return null;
    }

    public PruneOutcome? BetweenEpochs(in StepPoint at) => null;
}
