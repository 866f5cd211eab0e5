using Asni.Pruning;

namespace Asni.Training.Policies;

/// <summary>Prunes to what a schedule says, at a cadence.</summary>
/// <param name="note">Told of layers close to empty.</param>
internal sealed class PruneOnSchedule(Pruner pruner, ISparsitySchedule schedule, Cadence cadence, Action<TrainingNote> note) : IMaskPolicy
{
    public PruneOutcome? AfterStep(in StepPoint at) => cadence.IsDue(at.Done) ? Prune(at) : null;

    public PruneOutcome? BetweenEpochs(in StepPoint at) => cadence.EverySteps is null ? Prune(at) : null;

    private PruneOutcome Prune(in StepPoint at) => pruner.PruneTo(schedule.GetSparsity((double)at.Done / at.StepsPerEpoch - 1, at.Epochs), note);
}
