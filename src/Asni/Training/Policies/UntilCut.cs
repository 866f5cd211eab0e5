using Asni.Engine;
using Asni.Pruning;

namespace Asni.Training.Policies;

/// <summary>Trains effective weights until no more of them count than are to be kept, or until a time; cuts the network then, between epochs, and leaves the rest of the phase alone.</summary>
/// <param name="epochs">Of the phase, after which it cuts in any case.</param>
internal sealed class UntilCut(Model model, EffectiveWeights weights, long kept, int epochs) : IMaskPolicy
{
    public long? Counted => IsCut ? null : weights.Counted;

    // The masks say it, so that a checkpoint need not.
    private bool IsCut => model.Kept <= kept;

    public StepNeeds BeforeStep(in StepPoint at) => IsCut ? default : weights.BeforeStep(at);

    public void AfterBackward(in StepPoint at)
    {
        if (!IsCut) weights.AfterBackward(at);
    }

    public PruneOutcome? AfterStep(in StepPoint at) => null;

    public PruneOutcome? BetweenEpochs(in StepPoint at) => !IsCut && (weights.Counted <= kept || at.Epoch + 1 >= epochs) ? weights.Finish(at) : null;

    public void BeforeEvaluation(in StepPoint at)
    {
        if (!IsCut) weights.BeforeEvaluation(at);
    }

    public void AfterEvaluation()
    {
        if (!IsCut) weights.AfterEvaluation();
    }

    public PruneOutcome? Finish(in StepPoint at) => IsCut ? null : weights.Finish(at);

    public PolicyState? Save() => IsCut ? null : weights.Save();

    public void Restore(PolicyState state) => weights.Restore(state);
}
