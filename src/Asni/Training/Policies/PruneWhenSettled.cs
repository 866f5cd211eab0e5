using System.Collections.Immutable;
using Asni.Engine;
using Asni.Pruning;

namespace Asni.Training.Policies;

/// <summary>
/// Looks after each epoch what a cut to a sparsity would leave, and makes it once that has settled, at the latest before the phase's last epoch, or at the end of its only one.
/// </summary>
/// <param name="model">Not pruned at first.</param>
/// <param name="note">Told when the cut is made, and of layers close to empty.</param>
internal sealed class PruneWhenSettled(Model model, Pruner pruner, double sparsity, MaskHistory history, Action<TrainingNote> note) : IMaskPolicy
{
    /// <summary>That it was follows from the model, so that no checkpoint has to say it.</summary>
    private bool IsDone => sparsity == 0 || model.Kept < model.Network.WeightCount;

    public PruneOutcome? AfterStep(in StepPoint at) => at.Epochs == 1 && at.Step == at.StepsPerEpoch && !IsDone ? pruner.PruneTo(sparsity, note) : null;

    public PruneOutcome? BetweenEpochs(in StepPoint at)
    {
        if (IsDone) return null;
        bool settled = history.Add(pruner.Preview(sparsity));
        if (!settled && at.Epoch < at.Epochs - 2) return null;
        note(new(settled
            ? $"the mask has settled: the network is pruned after epoch {at.Epoch + 1} of {at.Epochs}."
            : $"the mask has not settled by epoch {at.Epoch + 1} of {at.Epochs}: the network is pruned now, and one epoch is left to train it; more epochs or a larger distance help."));
        history.Masks = [];
        return pruner.PruneTo(sparsity, note);
    }

    public PolicyState? Save() => history.Masks.IsEmpty ? null
        : PolicyState.Of(model.Network, ImmutableSortedDictionary<string, float[]>.Empty) with { Earlier = history.Masks };

    public void Restore(PolicyState state) => history.Masks = state.Earlier;
}
