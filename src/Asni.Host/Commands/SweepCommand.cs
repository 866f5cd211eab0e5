using System.CommandLine;
using System.CommandLine.Parsing;
using System.Globalization;
using Asni.Host.Sweeps;
using Asni.Methods;
using Asni.Mpi;
using Asni.Reports;
using Asni.Runs;

namespace Asni.Host.Commands;

/// <summary>asni sweep: many runs from one file, which shells, Slurm or Kubernetes start.</summary>
internal static class SweepCommand
{
    private static readonly string[] s_columns = ["run", "state", "epochs", "top-1"];

    /// <summary>Where schedulers put the number of a run among its like.</summary>
    private static readonly string[] s_indices = ["SLURM_ARRAY_TASK_ID", "JOB_COMPLETION_INDEX", "PBS_ARRAY_INDEX", "AWS_BATCH_JOB_ARRAY_INDEX"];

    /// <param name="train">Runs the program with the arguments of a training and gives its exit code.</param>
    /// <param name="verbose">The program's flag, which trainings get too.</param>
    public static Command Create(HostConsole console, Option<bool> verbose, Func<string[], int> train)
    {
        var file = new Argument<string>("file") { Description = "a recipe with a mapping 'grid:' of settings and their values" };
        var output = new Option<string>("--out") { Description = "folder of the sweep, new or empty", HelpName = "dir", Required = true };
        var kind = new Option<string>("--for") { Description = $"write a script that starts the runs, for {string.Join(", ", SweepScripts.All.Keys)}", HelpName = "what" };
        Argument<string[]> flags = Flags();
        var command = new Command("sweep", "make many runs of one file: every combination of its values, and a script that starts them") { file, flags, output, kind };
        command.SetAction(parsed =>
        {
            string path = parsed.GetValue(file)!;
            Func<int, string, string[], (string, string)>? script = null;
            if (parsed.GetValue(kind) is { } name && !SweepScripts.All.TryGetValue(name, out script))
                throw new UsageException($"--for '{name}' is none of {string.Join(", ", SweepScripts.All.Keys)}.");
            string[] given = parsed.GetValue(flags)!;
            if (given.Length > 0 && script is null) throw new UsageException("flags after -- go into the script that --for writes.");
            var sweep = SweepFolder.Create(parsed.GetValue(output)!, path, Sweep.Load(path), script is null ? null : (count, folder) => script(count, folder, given));
            console.Line(string.Create(CultureInfo.InvariantCulture, $"{sweep.Count:N0} runs: {sweep.NameOf(0)} to {sweep.NameOf(sweep.Count - 1)}"));
            console.Line($"asni sweep run {parsed.GetValue(output)} runs those that are not complete, one after another; with --index N one of them.");
            return 0;
        });
        command.Add(Run(console, verbose, train));
        command.Add(Status(console));
        return command;
    }

    private static Command Run(HostConsole console, Option<bool> verbose, Func<string[], int> train)
    {
        Argument<string> directory = Directory();
        Argument<string[]> flags = Flags();
        var index = new Option<string>("--index")
        {
            Description = $"the run, from 0 (default: {string.Join(", ", s_indices)}, whichever is set; else all, one after another)",
            HelpName = "n",
        };
        var command = new Command("run", "start a run of a sweep, or go on with it; a complete one is left as it is") { directory, flags, index };
        command.SetAction(parsed =>
        {
            var sweep = SweepFolder.Open(parsed.GetValue(directory)!);
            string[] given = [.. parsed.GetValue(flags)!, .. parsed.GetValue(verbose) ? [verbose.Name] : Array.Empty<string>()];
            return Index(parsed.GetValue(index)) is { } one ? train(Arguments(sweep, Number(one, sweep.Count), given)) : RunAll(console, sweep, given, train);
        });
        return command;
    }

    /// <summary>Each in turn; one that fails does not keep the others from running.</summary>
    private static int RunAll(HostConsole console, SweepFolder sweep, string[] flags, Func<string[], int> train)
    {
        if (Launcher.Find(Environment.GetEnvironmentVariable) is not null) throw new UsageException("several ranks train one run at a time: --index names it.");
        var failed = new List<string>();
        for (int i = 0; i < sweep.Count; i++)
        {
            if (sweep.StateOf(i) == MemberState.Complete) continue;
            if (RunFolder.IsHeld(sweep.RunOf(i)))
            {
                console.Note($"another process works on {sweep.NameOf(i)}.");
                continue;
            }
            console.Line($"run         {sweep.NameOf(i)}");
            int code = train(Arguments(sweep, i, flags));
            if (code == Entry.Interrupted) return code;
            if (code != 0) failed.Add(sweep.NameOf(i));
            console.Line();
        }
        return failed.Count == 0 ? 0 : throw new AsniException($"{failed.Count} of {sweep.Count} runs failed: {string.Join(", ", failed)}.");
    }

    private static string[] Arguments(SweepFolder sweep, int index, string[] flags) => ["--recipe", sweep.RecipeOf(index), "--out", sweep.RunOf(index), "--or-resume", .. flags];

    private static Command Status(HostConsole console)
    {
        Argument<string> directory = Directory();
        var command = new Command("status", "show how far the runs of a sweep are") { directory };
        command.SetAction(parsed =>
        {
            var sweep = SweepFolder.Open(parsed.GetValue(directory)!);
            ConsoleTable table = console.NewTable(s_columns, 2, 3);
            MemberState[] states = [.. Enumerable.Range(0, sweep.Count).Select(sweep.StateOf)];
            for (int i = 0; i < sweep.Count; i++)
                table.AddRow(sweep.NameOf(i), Words(states[i]), states[i] == MemberState.Waiting ? "" : Epochs(sweep.RunOf(i)), states[i] == MemberState.Complete ? Top1(sweep.RunOf(i)) : "");
            console.Write(table);
            console.Line(string.Create(CultureInfo.InvariantCulture, $"{sweep.Count:N0} runs: {Count(MemberState.Complete):N0} complete, {Count(MemberState.Begun):N0} begun, {Count(MemberState.Waiting):N0} not begun"));
            return 0;

            int Count(MemberState state) => states.Count(s => s == state);
        });
        return command;
    }

    private static string Words(MemberState state) => state switch { MemberState.Complete => "complete", MemberState.Begun => "begun", _ => "not begun" };

    /// <summary>Epochs that a run has written, which may be writing now.</summary>
    private static string Epochs(string run)
    {
        try
        {
            using var reader = new StreamReader(new FileStream(Path.Combine(run, RunFolder.Metrics), FileMode.Open, FileAccess.Read, FileShare.ReadWrite | FileShare.Delete));
            long lines = 0;
            while (reader.ReadLine() is not null) lines++;
            return Format.Count(lines);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            return "";
        }
    }

    /// <summary>Of the last phase that is no control.</summary>
    private static string Top1(string run)
    {
        try
        {
            return RunSummary.Read(run).Phases.LastOrDefault(p => !Controls.IsControl(p.Phase))?.Top1 is { } top1 ? Format.Percent(top1) : "";
        }
        catch (AsniException)
        {
            return "damaged";
        }
    }

    /// <summary>What --index or the scheduler says; null: neither does.</summary>
    private static (string Text, string Origin)? Index(string? given)
    {
        if (given is not null) return (given, "--index");
        foreach (string name in s_indices)
            if (Environment.GetEnvironmentVariable(name) is { Length: > 0 } text) return (text, name);
        return null;
    }

    private static int Number((string Text, string Origin) index, int count) =>
        int.TryParse(index.Text, NumberStyles.None, CultureInfo.InvariantCulture, out int n) && n < count ? n
        : throw new UsageException(string.Create(CultureInfo.InvariantCulture, $"{index.Origin} '{index.Text}' is not the number of a run, 0 to {count - 1}."));

    private static Argument<string> Directory() => new("dir") { Description = "folder of the sweep" };

    private static Argument<string[]> Flags() => new("flags") { Description = "after --: flags of a training, as --device cuda or --data-dir DIR, for each run", Arity = ArgumentArity.ZeroOrMore };
}
