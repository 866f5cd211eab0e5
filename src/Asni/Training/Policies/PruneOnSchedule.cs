using Asni.Pruning;

namespace Asni.Training.Policies;

/// <summary>Prunes to what a schedule says, at a cadence.</summary>
/// <param name="prune">Prunes, in the step, to a sparsity.</param>
internal sealed class PruneOnSchedule(Func<StepPoint, double, PruneOutcome> prune, ISparsitySchedule schedule, Cadence cadence) : IMaskPolicy
{
    /// <param name="note">Told of layers close to empty.</param>
    public PruneOnSchedule(Pruner pruner, ISparsitySchedule schedule, Cadence cadence, Action<TrainingNote> note) : this((_, sparsity) => pruner.PruneTo(sparsity, note), schedule, cadence) { }

    public PruneOutcome? AfterStep(in StepPoint at) => cadence.IsDue(at.Done) ? Prune(at) : null;

    public PruneOutcome? BetweenEpochs(in StepPoint at) => cadence.EverySteps is null ? Prune(at) : null;

    private PruneOutcome Prune(in StepPoint at) => prune(at, schedule.GetSparsity((double)at.Done / at.StepsPerEpoch - 1, at.Epochs));
}
