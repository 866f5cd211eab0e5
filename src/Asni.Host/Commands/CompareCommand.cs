using System.CommandLine;
using Asni.Formats;
using Asni.Host.Recipes;
using Asni.Reports;
using Asni.Runs;

namespace Asni.Host.Commands;

/// <summary>asni compare: runs side by side, seeds of one recipe together.</summary>
internal static class CompareCommand
{
    private static readonly string[] s_columns = ["network", "data", "phase", "seeds", "sparsity", "effective", "top-1", "± over seeds", "kept",
        "MACs", "dense", "amenable", "seconds"];

    public static Command Create(HostConsole console)
    {
        var runs = new Argument<string[]>("runs") { Description = "run folders", Arity = ArgumentArity.OneOrMore };
        var output = new Option<string>("--out")
        {
            Description = "HTML page to write, with the table and a plot of accuracy over sparsity",
            HelpName = "file.html",
        };
        var command = new Command("compare", "compare runs in a table; runs that differ only in their seed share a row") { runs, output };
        command.SetAction(parsed =>
        {
            string[] folders = parsed.GetValue(runs)!;
            var paths = folders.Select(f => Path.TrimEndingDirectorySeparator(Path.GetFullPath(f))).ToList();
            if (paths.Distinct().Count() < paths.Count) throw new UsageException("a run folder is named twice.");
            var comparison = Comparison.Create(folders.Select(Read));
            Write(console, comparison);
            if (parsed.GetValue(output) is not { } page) return 0;
            AtomicFile.WriteText(page, comparison.Html());
            console.Line($"page: {page}");
            return 0;
        });
        return command;
    }

    /// <summary>A run with what its recipe means in place of its text, where this version can read it.</summary>
    private static RunSummary Read(string folder)
    {
        var run = RunSummary.Read(folder);
        try
        {
            return run with { Recipe = RecipeYaml.Meaning(run.Recipe, Path.Combine(folder, RunFolder.Recipe)) };
        }
        catch (UsageException)
        {
            return run;
        }
    }

    private static void Write(HostConsole console, Comparison comparison)
    {
        ConsoleTable table = console.NewTable(s_columns, 4, 5, 6, 7, 8, 9, 10, 11, 12);
        foreach (ComparedPhase r in comparison.Rows)
            table.AddRow(r.Network, r.Data, r.Complete ? r.Phase : r.Phase + " (cut short)",
                string.Join(",", r.Seeds), Format.Percent(r.Sparsity), r.Effective is { } effective ? Format.Percent(effective) : "", r.Top1 is { } top1 ? Format.Percent(top1) : "-",
                r.Deviation is { } d ? Format.Number(100 * d, "0.00") : "", Format.Count(r.Kept),
                r.LiveMacs is { } macs ? Format.Count(macs) : "",
                Format.Bytes(r.DenseBytes), r.AmenableBytes is { } b ? Format.Bytes(b) : "",
                Format.Number(r.Seconds, "0.0"));
        console.Write(table);
    }
}
