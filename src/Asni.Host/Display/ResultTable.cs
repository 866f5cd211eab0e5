using Asni.Methods;
using Asni.Reports;
using Spectre.Console;

namespace Asni.Host.Display;

/// <summary>What a run reached, at its end.</summary>
internal static class ResultTable
{
    private static readonly string[] s_columns = ["phase", "top-1", "sparsity", "kept", "seconds"];

    public static void Write(HostConsole console, RunResult result, string folder)
    {
        Table table = console.NewTable(s_columns, 1, 2, 3, 4);
        foreach (PhaseResult p in result.Phases)
            table.AddRow(new Text(p.Complete ? p.Phase : p.Phase + " (cut short)"), new Text(Show.Percent(p.Top1)),
                new Text(Show.Percent(p.Sparsity)), new Text(Show.Count(p.Kept)), new Text(Show.Number(p.Seconds, "0.0")));
        console.Line();
        console.Write(table);
        if (result["asni2"] is { } amenable) WriteSize(console, amenable, Path.Combine(folder, RunFolder.AmenableFile));
    }

    private static void WriteSize(HostConsole console, PhaseResult amenable, string file)
    {
        InitializationSize size = InitializationSize.Of(amenable.Initial);
        console.Line($"ASNI-II started from 2 numbers a layer: {Show.Bytes(size.TotalBytes)} "
            + $"(mask {Show.Bytes(size.MaskBytes)}, signs {Show.Bytes(size.SignBytes)}, numbers {Show.Bytes(size.CentroidBytes)}) "
            + $"in place of {Show.Bytes(size.DenseBytes)} of dense weights, {Show.Number(size.Ratio, "0")} times smaller; "
            + $"{Path.GetFileName(file)} codes it in {Show.Bytes(new FileInfo(file).Length)}.");
    }
}
