using System.Diagnostics;
using Asni.Training;

namespace Asni.Reports;

/// <summary>Estimates when a run will be done from the epochs that are still to come and the pace so far.</summary>
public sealed class TimeLeft(int totalEpochs)
{
    private readonly long _start = Stopwatch.GetTimestamp();
    private int _done;

    public void EpochDone() => _done++;

    /// <summary>Null until there is something to go by.</summary>
    public TimeSpan? Estimate(in StepProgress progress)
    {
        double within = progress.Steps > 0 ? (double)progress.Step / progress.Steps : 0;
        return Estimate(_done + within, Stopwatch.GetElapsedTime(_start));
    }

    internal TimeSpan? Estimate(double epochsDone, TimeSpan elapsed) =>
        epochsDone <= 0 ? null : elapsed * Math.Max(0, (totalEpochs - epochsDone) / epochsDone);
}
