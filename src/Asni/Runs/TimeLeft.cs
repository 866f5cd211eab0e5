using System.Diagnostics;
using Asni.Training;

namespace Asni.Runs;

/// <summary>Estimates when a run will be done from the epochs that are still to come and the pace so far.</summary>
internal sealed class TimeLeft(long totalEpochs)
{
    /// <summary>A thousand years: a run of so many epochs is stopped by hand.</summary>
    private const double MaxSeconds = 1000 * 365.25 * 86_400;

    private readonly long _start = Stopwatch.GetTimestamp();
    private long _done;

    public void OnEpochCompleted() => _done++;

    /// <summary>Null until there is something to go by.</summary>
    public TimeSpan? Estimate(in StepProgress progress)
    {
        double within = progress.Steps > 0 ? (double)progress.Step / progress.Steps : 0;
        return Estimate(_done + within, Stopwatch.GetElapsedTime(_start));
    }

    internal TimeSpan? Estimate(double epochsDone, TimeSpan elapsed) =>
        epochsDone <= 0 ? null : TimeSpan.FromSeconds(Math.Clamp(elapsed.TotalSeconds * (totalEpochs - epochsDone) / epochsDone, 0, MaxSeconds));
}
