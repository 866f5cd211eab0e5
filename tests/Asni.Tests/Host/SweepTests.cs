using System.Diagnostics;
using Asni.Host.Sweeps;
using YamlDotNet.RepresentationModel;

namespace Asni.Tests.Host;

/// <summary>Many runs of one file.</summary>
[NonParallelizable]
public class SweepTests
{
    private const string Common = "net: lenet300\ndata: digits\nlimit: 120\nbatch: 60\nepochs: 1\n";

    private static readonly string[] s_indices = ["SLURM_ARRAY_TASK_ID", "JOB_COMPLETION_INDEX", "PBS_ARRAY_INDEX", "AWS_BATCH_JOB_ARRAY_INDEX"];

    private TemporaryFolder _folder = null!;

    [SetUp]
    public void Create()
    {
        _folder = new TemporaryFolder();
        Clear();
    }

    [TearDown]
    public void Delete()
    {
        Clear();
        _folder.Dispose();
    }

    private static void Clear()
    {
        foreach (string name in s_indices) Environment.SetEnvironmentVariable(name, null);
    }

    [Test]
    public void Each_combination_is_a_run_the_last_setting_first()
    {
        string[] names = Make("grid:\n  method: [set, rigl]\n  lr: [0.1, 1e-3]\n  seed: 2-4\n").Select(m => m.Name).ToArray();
        Assert.That(names, Has.Length.EqualTo(12));
        Assert.That(names[..4], Is.EqualTo((string[])["0000-set-lr0.1-seed2", "0001-set-lr0.1-seed3", "0002-set-lr0.1-seed4", "0003-set-lr1e-3-seed2"]));
        Assert.That(names[^1], Is.EqualTo("0011-rigl-lr1e-3-seed4"));
    }

    [Test]
    public void A_value_may_be_a_list_and_names_hold_no_other_characters()
    {
        IReadOnlyList<SweepMember> members = Make("method: gmp\ngrid:\n  layer-densities: [[0.1, 0.2, 0.3], '0.2,0.1,0.9']\n  input: [1x28x28]\n  seed: [1, 7, 9-10]\n");
        Assert.That(members, Has.Count.EqualTo(8));
        Assert.That(members[0].Name, Is.EqualTo("0000-layer-densities0.1,0.2,0.3-input1x28x28-seed1"));
        Assert.That(members[0].Settings["layer-densities"]!.Text, Is.EqualTo("0.1,0.2,0.3"));
        Assert.That(members[7].Settings["seed"]!.Text, Is.EqualTo("10"));
    }

    private static IEnumerable<TestCaseData> Mistakes()
    {
        yield return Case("seed: 3\n", "is not a sweep: it has no 'grid:'");
        yield return Case("grid:\n  sed: [1]\n", "line 7: unknown key 'sed'; did you mean seed.");
        yield return Case("grid: [1, 2]\n", "line 6: grid needs lines of the form");
        yield return Case("grid:\n  seed: {a: 1}\n", "line 7: seed needs a list of values");
        yield return Case("grid:\n  lr: [[[1]]]\n", "line 7: lr is nested");
        yield return Case("grid:\n  seed: []\n", "line 7: seed has no values");
        yield return Case("grid:\n  seed: 5-1\n", "'5-1' is not a range of seeds, as 1-5");
        yield return Case("grid:\n  seed: [1, 1]\n", "line 7: seed has 1 twice");
        yield return Case("grid:\n  seed: [1]\n  seed: [2]\n", "line 8: seed is there twice");
        yield return Case("grid:\n  epochs: [1, 2]\n", "line 5: epochs and");
        yield return Case("grid:\n  batch: 1-3\n", "run 0 of the sweep (batch 1-3) makes no sense: ");
        yield return Case("grid:\n  seed: 1-99999\n  lr: [0.1, 0.2]\n", "has more than 100,000 runs");
        yield return Case("grid:\n  method: [rigl]\n  sparsity: [0.9, 1.5]\n", "run 1 of the sweep (method rigl, sparsity 1.5) makes no sense: ");
        yield return Case("grid:\n  method: [rigl, gmp]\n  exchange-every: [50]\n", "run 1 of the sweep (method gmp, exchange-every 50) makes no sense: ");
        yield return Case("method: asni\nmag1: 0.98\ngrid:\n  sparsity: [0.9]\n", "run 0 of the sweep (sparsity 0.9) makes no sense: ");
        yield return Case("grid:\n  seed: [1]\ngrid:\n  lr: [1]\n", "line 8: grid is there twice");
        yield return Case("grid:\n  seed: *a\n", "line 7: ");
        yield return Case("grid:\n  net: [lenet301]\n", "run 0 of the sweep (net lenet301) makes no sense: ");

        static TestCaseData Case(string text, string message) => new TestCaseData(text, message).SetArgDisplayNames(text.ReplaceLineEndings(" "));
    }

    [TestCaseSource(nameof(Mistakes))]
    public void Mistakes_are_told_before_there_is_a_folder(string text, string message)
    {
        // A key of the grid is none of what all runs have, but for the case that is about it.
        IEnumerable<string> common = Common.Split('\n').Where(line => line.StartsWith("epochs", StringComparison.Ordinal) || line.Length == 0 || !text.Contains($"  {line.Split(':')[0]}:", StringComparison.Ordinal));
        CommandLine.ExpectFailure(2, message, "sweep", Write(string.Join('\n', common) + text), "--out", _folder["s"]);
        Assert.That(Directory.EnumerateFileSystemEntries(_folder.Path).Select(Path.GetFileName), Is.EqualTo((string[])["sweep.yaml"]));
    }

    [Test]
    public void Runs_are_started_by_number_by_a_scheduler_or_all_and_complete_ones_are_left()
    {
        Start("grid:\n  method: [set, rigl]\n  seed: 1-2\n");
        Assert.That(Status(), Is.EqualTo("4 runs: 0 complete, 0 begun, 4 not begun"));
        Assert.That(Sweep("run", _folder["s"], "--index", "2", "--", "--threads", "1"), Does.Contain("rigl"));
        Environment.SetEnvironmentVariable("JOB_COMPLETION_INDEX", "1");
        Sweep("run", _folder["s"], "--", "--threads", "1");
        Environment.SetEnvironmentVariable("JOB_COMPLETION_INDEX", null);
        Assert.That(Status(), Is.EqualTo("4 runs: 2 complete, 0 begun, 2 not begun"));
        Assert.That(Sweep("run", _folder["s"], "--index", "2"), Does.Contain("is complete: there is nothing to resume."));

        string all = Sweep("run", _folder["s"], "--", "--threads", "1");
        Assert.That(all.Split('\n').Where(l => l.StartsWith("run   ", StringComparison.Ordinal)).Select(l => l[12..].Trim()), Is.EqualTo((string[])["0000-set-seed1", "0003-rigl-seed2"]));
        Assert.That(Status(), Is.EqualTo("4 runs: 4 complete, 0 begun, 0 not begun"));
        CommandLine.Outcome alone = CommandLine.Run("--net", "lenet300", "--data", "digits", "--limit", "120", "--batch", "60", "--epochs", "1", "--method", "rigl", "--seed", "2", "--threads", "1", "--out", _folder["alone"]);
        Assert.That(alone.ExitCode, Is.Zero, alone.Error);
        Assert.That(File.ReadAllBytes(_folder["s/runs/0003-rigl-seed2/rigl.safetensors"]), Is.EqualTo(File.ReadAllBytes(_folder["alone/rigl.safetensors"])), "what the flags say is the same run");
        Assert.That(CommandLine.Run(["compare", .. Directory.GetDirectories(_folder["s/runs"])]).Output, Does.Contain("1,2"));
    }

    [Test]
    public void Recipes_hold_wherever_their_runs_are_started()
    {
        CommandLine.Outcome run = CommandLine.Run("--net", "lenet300", "--data", "digits", "--limit", "120", "--batch", "60", "--epochs", "1", "--method", "set", "--threads", "1", "--out", _folder["set"]);
        Assert.That(run.ExitCode, Is.Zero, run.Error);
        string weights = Path.GetRelativePath(Environment.CurrentDirectory, _folder["set/set.safetensors"]);
        Start($"grid:\n  method: [set, gmp]\n  layer-densities: ['{Path.GetRelativePath(Environment.CurrentDirectory, _folder["set/layers.csv"])}']\ninit: '{weights}'\n");
        string[] lines = File.ReadAllLines(Directory.GetFiles(_folder["s/recipes"]).Order().First());
        Assert.That(lines.Single(l => l.StartsWith("layer-densities: ", StringComparison.Ordinal)).Split(','), Has.Length.EqualTo(3));
        Assert.That(lines.Single(l => l.StartsWith("init: ", StringComparison.Ordinal)), Does.Contain(_folder["set/set.safetensors"]));
    }

    [Test]
    public void A_run_that_another_process_has_is_left_to_it()
    {
        Start("grid:\n  seed: 1-2\n");
        Directory.CreateDirectory(_folder["s/runs/0000-seed1"]);
        using (new FileStream(_folder["s/runs/0000-seed1/run.lock"], FileMode.Create, FileAccess.Write, FileShare.None))
            Assert.That(Sweep("run", _folder["s"], "--", "--threads", "1"), Does.Contain("another process works on 0000-seed1."));
        Assert.That(Status(), Is.EqualTo("2 runs: 1 complete, 0 begun, 1 not begun"));
        Sweep("run", _folder["s"], "--", "--threads", "1");
        Assert.That(Status(), Is.EqualTo("2 runs: 2 complete, 0 begun, 0 not begun"), "what is left of a process that was killed right at the beginning is no obstacle");
    }

    [Test]
    public void A_damaged_summary_does_not_hide_the_other_runs()
    {
        Start("grid:\n  seed: 1-2\n");
        Sweep("run", _folder["s"], "--", "--threads", "1");
        File.WriteAllText(_folder["s/runs/0000-seed1/summary.json"], "{\"complete\": true}");
        Assert.That(Sweep("status", _folder["s"]), Does.Contain("damaged").And.Contain("0001-seed2"));
    }

    [Test]
    public void A_run_that_fails_does_not_keep_the_others_from_running()
    {
        Start("method: dense\ngrid:\n  lr: [0.01, 1e30, 0.02]\n");
        CommandLine.Outcome all = CommandLine.Run("sweep", "run", _folder["s"], "--", "--threads", "1");
        Assert.That(all.ExitCode, Is.EqualTo(1));
        Assert.That(all.Error, Does.Contain("1 of 3 runs failed: 0001-lr1e30."));
        Assert.That(Status(), Does.StartWith("3 runs: 2 complete,"));
    }

    [Test]
    public void A_number_or_folder_that_is_none_is_told()
    {
        Start("grid:\n  seed: 1-2\n");
        CommandLine.ExpectFailure(2, "--index '2' is not the number of a run, 0 to 1.", "sweep", "run", _folder["s"], "--index", "2");
        Environment.SetEnvironmentVariable("SLURM_ARRAY_TASK_ID", "x");
        CommandLine.ExpectFailure(2, "SLURM_ARRAY_TASK_ID 'x' is not the number of a run, 0 to 1.", "sweep", "run", _folder["s"]);
        CommandLine.ExpectFailure(2, "unknown flag --epoch", "sweep", "run", _folder["s"], "--index", "0", "--", "--epoch", "3");
        CommandLine.ExpectFailure(2, "is not the folder of a sweep", "sweep", "status", _folder["s/runs"]);
        CommandLine.ExpectFailure(2, "exists and is not empty; give another folder for the sweep.", "sweep", _folder["sweep.yaml"], "--out", _folder["s"]);
        CommandLine.ExpectFailure(2, "--for 'lsf' is none of shell, slurm, kubernetes.", "sweep", _folder["sweep.yaml"], "--out", _folder["t"], "--for", "lsf");
        CommandLine.ExpectFailure(2, "flags after -- go into the script", "sweep", _folder["sweep.yaml"], "--out", _folder["t"], "--", "--threads", "1");
        File.Delete(_folder["s/recipes/0000-seed1.yaml"]);
        CommandLine.ExpectFailure(2, "has no recipe 0, or one that is not the sweep's: 0001-seed2.yaml.", "sweep", "status", _folder["s"]);
    }

    [Test]
    public void The_shell_script_runs_what_is_missing()
    {
        if (OperatingSystem.IsWindows()) Assert.Ignore("there is no sh");
        Start("grid:\n  seed: 1-3\n", "--for", "shell", "--", "--threads", "1");
        string script = File.ReadAllText(_folder["s/sweep.sh"]);
        Assert.That(script, Does.Contain("seq 0 2 |").And.Contain("sweep run '").And.EndWith(" --index {} -- '--threads' '1'\n"));
        // This process is the tests' and not the program.
        int program = script.IndexOf("-I{} ", StringComparison.Ordinal) + 5, verb = script.IndexOf(" sweep run", StringComparison.Ordinal);
        File.WriteAllText(_folder["s/sweep.sh"], $"{script[..program]}dotnet '{ProgramProcess.Path}'{script[verb..]}");
        Sweep("run", _folder["s"], "--index", "1", "--", "--threads", "1");
        DateTime before = File.GetLastWriteTimeUtc(_folder["s/runs/0001-seed2/summary.json"]);
        using var shell = Process.Start(new ProcessStartInfo(_folder["s/sweep.sh"]) { RedirectStandardOutput = true, Environment = { ["JOBS"] = "2" } })!;
        string output = shell.StandardOutput.ReadToEnd();
        shell.WaitForExit();
        Assert.That(shell.ExitCode, Is.Zero, output);
        Assert.That(Status(), Is.EqualTo("3 runs: 3 complete, 0 begun, 0 not begun"));
        Assert.That(File.GetLastWriteTimeUtc(_folder["s/runs/0001-seed2/summary.json"]), Is.EqualTo(before));
    }

    [Test]
    public void Slurm_has_an_array_that_is_stopped_in_time_and_goes_on()
    {
        Start("grid:\n  seed: 1-3\n", "--for", "slurm", "--", "--device", "cuda", "--data-dir", "it's here");
        string[] lines = File.ReadAllLines(_folder["s/sweep.sbatch"]);
        Assert.That(lines[0], Is.EqualTo("#!/bin/bash"));
        Assert.That(lines, Does.Contain($"#SBATCH --output=\"{_folder["s"]}/%a.log\""));
        Assert.That(lines, Does.Contain("#SBATCH --array=0-2").And.Contain("#SBATCH --signal=USR1@120").And.Contain("#SBATCH --requeue"));
        Assert.That(lines.Single(l => l.StartsWith("srun ", StringComparison.Ordinal)), Does.EndWith($" sweep run '{_folder["s"]}' -- '--device' 'cuda' '--data-dir' 'it'\\''s here'"));
    }

    [Test]
    public void Kubernetes_has_an_indexed_job()
    {
        Start("grid:\n  seed: 1-3\n", "--for", "kubernetes", "--", "--device", "cuda");
        var yaml = new YamlStream();
        yaml.Load(new StringReader(File.ReadAllText(_folder["s/sweep-job.yaml"])));
        YamlNode spec = yaml.Documents[0].RootNode["spec"];
        Assert.That((string?)spec["completionMode"], Is.EqualTo("Indexed"));
        Assert.That((string?)spec["completions"], Is.EqualTo("3"));
        YamlNode container = ((YamlSequenceNode)spec["template"]["spec"]["containers"]).Single();
        Assert.That(((YamlSequenceNode)container["command"]).Select(w => (string?)w), Is.EqualTo((string[])["asni", "sweep", "run", _folder["s"], "--", "--device", "cuda"]));
    }

    private string Write(string text)
    {
        File.WriteAllText(_folder["sweep.yaml"], text);
        return _folder["sweep.yaml"];
    }

    private IReadOnlyList<SweepMember> Make(string grid) => Asni.Host.Sweeps.Sweep.Load(Write((grid.Contains("method", StringComparison.Ordinal) ? "" : "method: dense\n") + Common + grid)).Members;

    private void Start(string grid, params string[] more) => Sweep([Write(Common + grid), "--out", _folder["s"], .. more]);

    private string Status() => Sweep("status", _folder["s"]).TrimEnd().Split('\n')[^1];

    private static string Sweep(params string[] args)
    {
        CommandLine.Outcome outcome = CommandLine.Run(["sweep", .. args]);
        Assert.That(outcome.ExitCode, Is.Zero, outcome.Error);
        return outcome.Output;
    }
}
