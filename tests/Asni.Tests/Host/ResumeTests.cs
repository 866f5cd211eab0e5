using System.Text.RegularExpressions;
using Asni.Host;
using Asni.Runs;

namespace Asni.Tests.Host;

/// <summary>Processes that are killed, and go on with --resume.</summary>
[Platform(Exclude = "Win")]
public partial class ResumeTests : FolderTest
{
    private static readonly string[] s_run = ["--data", "digits", "--limit", "600", "--batch", "100", "--epochs", "4", "--sparsity", "0.9", "--threads", "1",
        "--controls", "ticket"];

    /// <summary>The same with a checkpoint at every step, for what is stopped at any.</summary>
    private static readonly string[] s_saving = [.. s_run, "--checkpoint-minutes", "0"];

    private readonly TemporaryFolder _wholes = new();

    // What a run is compared with when it was stopped: the one that was not.
    private string Whole => _wholes["run"];

    [OneTimeSetUp]
    public void RunWithoutAStop() => Assert.That(CommandLine.Run([.. s_run, "--out", Whole]).ExitCode, Is.Zero);

    [OneTimeTearDown]
    public void RemoveWholes() => _wholes.Dispose();

    /// <summary>From the instant at which there is a folder, whatever the program was about to do.</summary>
    [TestCase("TERM", "")]
    [TestCase("HUP", "")]
    [TestCase("INT", "")]
    [TestCase("INT", "recipe.yaml")]
    public void A_signal_saves_and_resume_goes_on(string signal, string after)
    {
        ProgramProcess.AssumeArrives(signal);
        string reached = Path.Combine(_folder["a"], after);
        using (var program = new ProgramProcess([.. s_saving, "--out", _folder["a"]]))
        {
            program.WaitUntil(() => Path.Exists(reached));
            program.Signal(signal);
            Assert.That(program.ExitCode(), Is.EqualTo(Entry.Interrupted), program.Error);
            Assert.That(program.Error, Does.Contain("stopping after this step"));
            Assert.That(program.Output, Does.Contain("--resume"));
        }
        CommandLine.Outcome resumed = CommandLine.Run("--resume", _folder["a"]);
        Assert.That(resumed.ExitCode, Is.Zero, resumed.Error);
        Assert.That(resumed.Output, Does.Contain("resumed at epoch"));
        AssertSame(Whole, _folder["a"]);
        Assert.That(CommandLine.Run("--resume", _folder["a"]).Output, Does.Contain("nothing to resume"));
    }

    [Test]
    public void Two_processes_do_not_resume_one_run()
    {
        using var program = new ProgramProcess("--data", "digits", "--epochs", "1000", "--threads", "1", "--out", _folder["a"]);
        program.WaitUntil(() => File.Exists(_folder["a/recipe.yaml"]));
        Assert.That(File.Exists(Path.Combine(_folder["a"], RunFolder.StartFile)), "what resuming reads is there before what it asks for");
        CommandLine.ExpectFailure(2, "another process works on the run", "--resume", _folder["a"]);
        CommandLine.ExpectFailure(2, "not empty", [.. s_run, "--out", _folder["a"]]);
        program.Signal("KILL");
        program.ExitCode();
        Assert.That(() => RunFolder.Take(_folder["a"])!.Dispose(), Throws.Nothing, "a kill lets go of the folder");
    }

    [Test]
    public void Bad_uses_are_one_sentence()
    {
        CommandLine.ExpectFailure(2, $"the run folder {_folder["nowhere"]} does not exist.", "--resume", _folder["nowhere"]);
        CommandLine.ExpectFailure(2, "is not the folder of a run", "--resume", _folder.Path);
        CommandLine.ExpectFailure(2, "leave --epochs out", "--resume", _folder["nowhere"], "--epochs", "3");
        CommandLine.ExpectFailure(2, "--keep-checkpoints '0'", "--data", "digits", "--keep-checkpoints", "0", "--out", _folder["a"]);
        Assert.That(Directory.Exists(_folder["a"]), Is.False);
    }

    /// <summary>Whatever happens to a file of a stopped run, resuming it ends with the same bits or is refused.</summary>
    [Test]
    public void Damage_in_the_folder_of_a_stopped_run_is_mended_or_refused()
    {
        using (var program = new ProgramProcess([.. s_saving, "--out", _folder["stopped"]]))
        {
            program.WaitUntil(() => File.Exists(_folder["stopped/asni2.safetensors"]));
            program.Signal("KILL");
            program.ExitCode();
        }
        foreach ((string file, string damage, bool? refused) in (ReadOnlySpan<(string, string, bool?)>)
        [
            ("asni1.safetensors", "flip", true), ("asni1.safetensors", "delete", true), ("asni1.safetensors", "cut", true), ("asni2-init.asni", "delete", false),
            ("asni2-init.asni", "flip", false), ("asni2-init.safetensors", "cut", false), ("asni2.safetensors", "flip", null), ("layers.csv", "flip", null),
            ("metrics.jsonl", "delete", false), ("summary.json", "cut", null), ("recipe.yaml", "flip", true), ("checkpoints/start.json", "delete", false),
        ])
        {
            string context = $"{file}: {damage}", copy = _folder["copy"];
            if (Directory.Exists(copy)) Directory.Delete(copy, recursive: true);
            Copy(_folder["stopped"], copy);
            Damage(Path.Combine(copy, file), damage);
            CommandLine.Outcome resumed = CommandLine.Run("--resume", copy, "--threads", "1");
            Assert.That(resumed.Error, Does.Not.Contain("should not have happened"), context);
            if (refused is { } expected) Assert.That(resumed.ExitCode != 0, Is.EqualTo(expected), $"{context}: {resumed.Error}");
            if (resumed.ExitCode == 0) AssertSame(Whole, copy);
            else Assert.That(resumed.Error.TrimEnd().Split('\n'), Has.Length.EqualTo(1), $"{context}: {resumed.Error}");
        }
    }

    /// <summary>A run of an epoch that goes well and one that diverges: what is left can be resumed, and its inputs be changed.</summary>
    private string[] Diverging(params string[] more) =>
        [.. more, "--epochs", "2", "--method", "dense", "--optimizer", "sgd", "--lr-policy", "multistep", "--lr-steps", "1", "--lr-gamma", "1e35", "--threads", "1",
            "--checkpoint-minutes", "0", "--batch", "10", "--out", _folder["a"]];

    [Test]
    public void A_run_that_diverges_keeps_its_checkpoints_and_says_how_to_go_on()
    {
        CommandLine.Outcome outcome = CommandLine.Run(Diverging("--data", "digits", "--limit", "100"));
        Assert.That(outcome.ExitCode, Is.EqualTo(1));
        Assert.That(outcome.Error, Does.Contain("became").And.Contain("lower the learning rate"));
        Assert.That(outcome.Output, Does.Contain("start a new run with a lower --lr").And.Contain($"asni --resume {_folder["a"]}"));
        outcome = CommandLine.Run("--resume", _folder["a"]);
        Assert.That(outcome.Output, Does.Contain("resumed at epoch"));
        Assert.That(outcome.Error, Does.Contain("became").And.Contain("lower the learning rate"), "not that no checkpoint can be read");
    }

    [TestCase("train-images-idx3-ubyte")]
    [TestCase("train-labels-idx1-ubyte")]
    [TestCase("t10k-images-idx3-ubyte")]
    public void Other_data_of_the_same_counts_are_refused(string file)
    {
        using var data = new TemporaryFolder();
        Data.DataFiles.WriteMnist(data, train: 40, test: 10);
        Assert.That(CommandLine.Run(Diverging("--data", "mnist", "--data-dir", data.Path)).Output, Does.Contain("lower --lr"));
        byte[] bytes = File.ReadAllBytes(data[file]);
        bytes[^1] ^= 1;
        data.Write(file, bytes);
        CommandLine.ExpectFailure(1, "half of mnist is not what the run in", "--resume", _folder["a"]);
        bytes[^1] ^= 1;
        data.Write(file, bytes);
        Assert.That(CommandLine.Run("--resume", _folder["a"]).Output, Does.Contain("resumed at epoch"));
    }

    [Test]
    public void A_name_with_a_line_break_is_resumed_and_another_network_under_it_refused()
    {
        string name = _folder["in\nit: 'x'.safetensors"];
        Assert.That(CommandLine.Run("--data", "digits", "--limit", "50", "--epochs", "1", "--method", "dense", "--threads", "1", "--out", _folder["first"]).ExitCode, Is.Zero);
        File.Move(_folder["first/dense.safetensors"], name);
        Assert.That(CommandLine.Run(Diverging("--data", "digits", "--limit", "100", "--init", name)).Output, Does.Contain("lower --lr"));
        Assert.That(CommandLine.Run("--resume", _folder["a"]).Output, Does.Contain("resumed at epoch"));
        Damage(name, "flip");
        CommandLine.ExpectFailure(1, "the network of --init is not what the run in", "--resume", _folder["a"]);
    }

    [TestCase("> /dev/full", "could not be written")]
    [TestCase(">&-", "could not be written")]
    [TestCase("2> /dev/full", "")]
    [TestCase("> /dev/full 2>&1", "")]
    [Platform("Linux")]
    public void Output_that_fails_does_not_end_or_spoil_a_run(string redirection, string words)
    {
        string[] run = ["--data", "digits", "--limit", "100", "--epochs", "2", "--threads", "1"];
        Assert.That(CommandLine.Run([.. run, "--out", _folder["whole"]]).ExitCode, Is.Zero);
        using (ProgramProcess program = ProgramProcess.Redirected(redirection, [.. run, "--out", _folder["a"]]))
        {
            Assert.That(program.ExitCode(), Is.Zero, program.Error);
            Assert.That(program.Error, Does.Contain(words).And.Not.Contain("should not have happened"));
        }
        AssertSame(_folder["whole"], _folder["a"]);
    }

    [Test, Platform("Linux")]
    public void A_command_whose_output_is_lost_fails_in_one_sentence()
    {
        using ProgramProcess program = ProgramProcess.Redirected("> /dev/full", "info", "--net", "lenet300");
        Assert.That(program.ExitCode(), Is.EqualTo(Entry.Failed));
        Assert.That(program.Error, Is.EqualTo("asni: some of the output could not be written (No space left on device).\n"));
    }

    [Test]
    public void Two_thousand_million_epochs_start_at_once()
    {
        using var program = new ProgramProcess("--data", "digits", "--limit", "50", "--epochs", "2000000000", "--threads", "1", "--controls", "ticket,reinit,shuffle", "--out", _folder["a"]);
        program.WaitUntil(() => File.Exists(_folder["a/metrics.jsonl"]) && new FileInfo(_folder["a/metrics.jsonl"]).Length > 0);
        program.Signal("TERM");
        Assert.That(program.ExitCode(), Is.EqualTo(Entry.Interrupted), program.Error);
    }

    /// <summary>A job that is started again may find what it left before there was anything to go on from.</summary>
    [TestCase(false)]
    [TestCase(true)]
    public void What_a_run_left_before_its_recipe_is_no_obstacle_to_the_same_line(bool other)
    {
        foreach (string name in (string[])["run.lock", "metrics.jsonl", "recipe.yaml.part", "checkpoints/start.json", .. other ? ["notes.txt"] : Array.Empty<string>()]) _folder.Write($"a/{name}", []);
        string[] line = [.. s_run, "--out", _folder["a"], "--or-resume"];
        if (other)
        {
            CommandLine.ExpectFailure(2, "exists and is not empty", line);
            Assert.That(File.Exists(_folder["a/checkpoints/start.json"]));
            return;
        }
        using (File.Open(_folder["a/run.lock"], FileMode.Open, FileAccess.Write, FileShare.None)) CommandLine.ExpectFailure(2, "another process works on the run in", line);
        CommandLine.Outcome outcome = CommandLine.Run(line);
        Assert.That(outcome.ExitCode, Is.Zero, outcome.Error);
        AssertSame(Whole, _folder["a"]);
    }

    private static void Copy(string from, string to)
    {
        foreach (string file in Directory.EnumerateFiles(from, "*", SearchOption.AllDirectories))
        {
            string copy = Path.Combine(to, Path.GetRelativePath(from, file));
            Directory.CreateDirectory(Path.GetDirectoryName(copy)!);
            File.Copy(file, copy);
        }
    }

    private static void Damage(string file, string how)
    {
        byte[] bytes = File.ReadAllBytes(file);
        if (how == "flip") bytes[^2] ^= 1;
        if (how == "cut") Array.Resize(ref bytes, bytes.Length / 2);
        if (how == "delete") File.Delete(file);
        else File.WriteAllBytes(file, bytes);
    }

    /// <summary>Networks and tables byte for byte, metrics but for the times.</summary>
    private static void AssertSame(string whole, string resumed)
    {
        string[] Names(string folder) => [.. Directory.GetFiles(folder).Select(f => Path.GetFileName(f)!).Order()];
        Assert.That(Names(resumed), Is.EqualTo(Names(whole)));
        foreach (string name in Names(whole).Where(n => n.EndsWith(".safetensors") || n.EndsWith(".asni") || n.EndsWith(".csv") || n.EndsWith(".yaml")))
            Assert.That(File.ReadAllBytes(Path.Combine(resumed, name)), Is.EqualTo(File.ReadAllBytes(Path.Combine(whole, name))), name);
        string[] Rows(string folder) => [.. File.ReadAllLines(Path.Combine(folder, "metrics.jsonl")).Select(r => Times().Replace(r, ""))];
        Assert.That(Rows(resumed), Is.EqualTo(Rows(whole)));
        Assert.That(Directory.Exists(Path.Combine(resumed, "checkpoints")), Is.False, "a complete run needs none");
    }

    [GeneratedRegex("\"(seconds|images_per_second)\":[^,}]*")]
    private static partial Regex Times();
}
