using Asni.Methods;
using Asni.Training;

namespace Asni.Runs;

/// <summary>The epoch of a phase with the highest accuracy on the test set, of those with no more weights than the phase delivered: what publications often report in place of the last epoch's.</summary>
/// <param name="Epoch">From 0.</param>
internal readonly record struct BestEpoch(double Top1, int Epoch)
{
    /// <summary>Null when the phase has no such epoch, as one that cuts at its end. Of equal ones the first.</summary>
    public static BestEpoch? Of(PhaseResult phase, IEnumerable<EpochRecord> epochs) =>
        epochs.Where(e => e.Phase == phase.Phase && e.Kept <= phase.Kept && double.IsFinite(e.TestTop1)).MaxBy(e => e.TestTop1) is { } best ? new BestEpoch(best.TestTop1, best.Epoch) : null;
}
