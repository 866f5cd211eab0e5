using System.Collections.Immutable;
using Asni.Pruning;

namespace Asni.Training.Policies;

/// <summary>Prunes to one sparsity and lifts all masks in turn, the first time and the last time pruning. A pure function of the time within the phase.</summary>
/// <param name="times">Shares of the phase in ascending order, an odd number. A time at the end of an epoch comes after its evaluation.</param>
/// <param name="note">Told of layers close to empty.</param>
internal sealed class Alternate(Pruner pruner, double sparsity, ImmutableArray<double> times, Action<TrainingNote> note) : IMaskPolicy
{
    public PruneOutcome? AfterStep(in StepPoint at) => at.Step == at.StepsPerEpoch && at.Epoch < at.Epochs - 1 ? null : Change(at);

    public PruneOutcome? BetweenEpochs(in StepPoint at) => Change(at);

    private PruneOutcome? Change(in StepPoint at)
    {
        long steps = (long)at.Epochs * at.StepsPerEpoch;
        bool sparse = IsSparse(at.Done, steps);
        if (sparse == IsSparse(at.Done - 1, steps)) return null;
        return sparse ? pruner.PruneTo(sparsity, note) : pruner.Revive();
    }

    /// <summary>After so many steps; times that fall on one step count as that many changes at once.</summary>
    private bool IsSparse(long done, long steps)
    {
        int passed = 0;
        // There is a step before the first change, and one after the last, where there are two.
        while (passed < times.Length && Math.Max(1, Math.Min((long)Math.Round(times[passed] * steps), steps - 1)) <= done) passed++;
        return passed % 2 == 1;
    }
}
