using Asni.Methods;
using Asni.Runs;
using Asni.Training;

namespace Asni.Host.Display;

/// <summary>What a run reached, at its end.</summary>
internal static class ResultTable
{
    private static readonly string[] s_columns = ["phase", "top-1", "sparsity", "effective", "kept", "MACs", "seconds"];

    /// <summary>Sparsity up to which nothing is gained from it.</summary>
    private const double NearlyDense = 0.1;

    public static void Write(HostConsole console, RunResult result, RunFolder folder)
    {
        // Stopped before its first phase.
        if (result.Phases.IsEmpty) return;
        ConsoleTable table = console.NewTable(s_columns, 1, 2, 3, 4, 5, 6);
        foreach (PhaseResult p in result.Phases)
            table.AddRow(p.Complete ? p.Phase : p.Phase + " (cut short)", Format.Percent(p.Top1),
                Format.Percent(p.Sparsity), Format.Percent(p.Paths.Sparsity), Format.Count(p.Kept), Format.Count(p.Analysis.LiveMacs), Format.Number(p.Seconds, "0.0"));
        console.Line();
        console.Write(table);
        if (DenseCost(folder.Epochs) is { } note) console.Line(note);
        if (result.Phases.FirstOrDefault(p => p.IsFromFewNumbers) is { } amenable) WriteSize(console, amenable, Path.Combine(folder.Path, RunFolder.AmenableFile));
    }

    /// <summary>Epochs from which their speed has a median, and seconds that a clock and a warm-up do not blur.</summary>
    private const int EnoughEpochs = 2;
    private const double EnoughSeconds = 1;

    /// <summary>
    /// What training would have taken had every epoch run at the speed of the dense ones, the median of those that are nearly so: the first alone warms up.
    /// Null when too few were dense, or when the difference is within what their speeds differ among themselves.
    /// </summary>
    internal static string? DenseCost(IReadOnlyList<EpochRecord> epochs)
    {
        double[] dense = [.. epochs.Where(e => e.Sparsity <= NearlyDense).Select(e => e.ImagesPerSecond).Order()];
        if (dense.Length < EnoughEpochs || epochs[^1].Sparsity <= NearlyDense) return null;
        double rate = dense[dense.Length / 2], took = epochs.Sum(e => e.Seconds), wouldTake = epochs.Sum(e => e.Seconds * e.ImagesPerSecond / rate);
        double deviation = dense.Select(r => Math.Abs(r - rate)).Order().ElementAt(dense.Length / 2) / rate;
        if (took < EnoughSeconds || Math.Abs(wouldTake / took - 1) <= 2 * deviation) return null;
        return $"Epochs took {Format.Number(took, "0.0")} s; at the speed of the dense ones ({Format.Number(rate, "N0")} images/s, the median up to {Format.Number(100 * NearlyDense, "0")} % sparsity) they would have taken "
            + $"{Format.Number(wouldTake, "0.0")} s. The last ran at {Format.Number(epochs[^1].ImagesPerSecond, "N0")} images/s.";
    }

    private static void WriteSize(HostConsole console, PhaseResult amenable, string file)
    {
        InitializationSize size = InitializationSize.Measure(amenable.Initial, amenable.Levels);
        console.Line($"ASNI-II started from {amenable.Levels.Words}: {Format.Bytes(size.TotalBytes)} "
            + $"(mask {Format.Bytes(size.MaskBytes)}, {(amenable.Levels.IsBySign ? "signs" : "levels")} {Format.Bytes(size.SignBytes)}, values {Format.Bytes(size.CentroidBytes)}) "
            + $"instead of {Format.Bytes(size.DenseBytes)} for dense weights, {Format.Number(size.Ratio, "0")} times smaller; "
            + $"{Path.GetFileName(file)} takes {Format.Bytes(new FileInfo(file).Length)}.");
    }
}
