using System.Globalization;
using System.Text.Json;
using System.Text.RegularExpressions;
using Asni.Host;
using Asni.Reports;
using Asni.Tensors;

namespace Asni.Tests.Host;

/// <summary>Processes that are killed, and go on with --resume.</summary>
[Platform(Exclude = "Win")]
public partial class ResumeTests
{
    private static readonly string[] s_run = ["--data", "digits", "--limit", "600", "--epochs", "4", "--sparsity", "0.9", "--threads", "1",
        "--controls", "ticket", "--checkpoint-minutes", "0"];

    private TemporaryFolder _folder = null!;

    [SetUp]
    public void MakeFolder() => _folder = new TemporaryFolder();

    [TearDown]
    public void RemoveFolder() => _folder.Dispose();

    /// <summary>Five kills, or as many as ASNI_KILLS says.</summary>
    [Test]
    public void Killed_at_random_instants_it_ends_with_the_bits_of_an_uninterrupted_run()
    {
        int kills = int.Parse(Environment.GetEnvironmentVariable("ASNI_KILLS") ?? "5", CultureInfo.InvariantCulture);
        var random = SplitMix64.Fork(11);
        Assert.That(CommandLine.Run([.. s_run, "--out", _folder["whole"]]).ExitCode, Is.Zero);
        int done = 0, round = 0;
        while (done < kills)
        {
            string directory = _folder["killed" + round++];
            string[] args = [.. s_run, "--out", directory];
            while (!IsComplete(directory))
            {
                bool more = done < kills;
                using var program = new ProgramProcess(args);
                if (!program.EndsWithin(more ? 150 + (int)(random.NextUInt64() % 1500) : 120_000)) program.Signal("KILL");
                if (program.ExitCode() == 137) done++;
                else Assert.That(program.ExitCode(), Is.Zero, program.Error);
                if (File.Exists(Path.Combine(directory, "recipe.yaml"))) args = ["--resume", directory, "--checkpoint-minutes", "0"];
                else if (Directory.Exists(directory)) Directory.Delete(directory, recursive: true);
            }
            AssertSame(_folder["whole"], directory);
        }
    }

    /// <summary>From the instant at which there is a folder, whatever the program was about to do.</summary>
    [TestCase("TERM", "")]
    [TestCase("INT", "")]
    [TestCase("INT", "recipe.yaml")]
    public void A_signal_saves_and_resume_goes_on(string signal, string after)
    {
        if (signal == "INT") ProgramProcess.AssumeInterruptsArrive();
        Assert.That(CommandLine.Run([.. s_run, "--out", _folder["whole"]]).ExitCode, Is.Zero);
        string reached = Path.Combine(_folder["a"], after);
        using (var program = new ProgramProcess([.. s_run, "--out", _folder["a"]]))
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
        AssertSame(_folder["whole"], _folder["a"]);
        Assert.That(CommandLine.Run("--resume", _folder["a"]).Output, Does.Contain("nothing to resume"));
    }

    [Test]
    public void Two_processes_do_not_resume_one_run()
    {
        using var program = new ProgramProcess("--data", "digits", "--epochs", "1000", "--threads", "1", "--out", _folder["a"]);
        program.WaitUntil(() => File.Exists(_folder["a/recipe.yaml"]));
        CommandLine.ExpectFailure(2, "another process works on the run", "--resume", _folder["a"]);
        CommandLine.ExpectFailure(2, "not empty", [.. s_run, "--out", _folder["a"]]);
        program.Signal("KILL");
        program.ExitCode();
        Assert.That(() => RunFolder.Take(_folder["a"])!.Dispose(), Throws.Nothing, "a kill lets go of the folder");
    }

    [Test]
    public void Bad_uses_are_one_sentence()
    {
        CommandLine.ExpectFailure(2, "is not the folder of a run", "--resume", _folder["nowhere"]);
        CommandLine.ExpectFailure(2, "leave --epochs out", "--resume", _folder["nowhere"], "--epochs", "3");
        CommandLine.ExpectFailure(2, "--keep-checkpoints '0'", "--data", "digits", "--keep-checkpoints", "0", "--out", _folder["a"]);
        Assert.That(Directory.Exists(_folder["a"]), Is.False);
    }

    private static bool IsComplete(string directory)
    {
        string summary = Path.Combine(directory, "summary.json");
        return File.Exists(summary) && JsonDocument.Parse(File.ReadAllText(summary)).RootElement.GetProperty("complete").GetBoolean();
    }

    /// <summary>Networks and tables byte for byte, metrics but for the times and the last digits of a loss that was summed in parts.</summary>
    private static void AssertSame(string whole, string resumed)
    {
        string[] Names(string folder) => [.. Directory.GetFiles(folder).Select(f => Path.GetFileName(f)!).Order()];
        Assert.That(Names(resumed), Is.EqualTo(Names(whole)));
        foreach (string name in Names(whole).Where(n => n.EndsWith(".safetensors") || n.EndsWith(".asni") || n.EndsWith(".csv") || n.EndsWith(".yaml")))
            Assert.That(File.ReadAllBytes(Path.Combine(resumed, name)), Is.EqualTo(File.ReadAllBytes(Path.Combine(whole, name))), name);
        string[] Rows(string folder) => [.. File.ReadAllLines(Path.Combine(folder, "metrics.jsonl")).Select(r => TimesAndLoss().Replace(r, ""))];
        Assert.That(Rows(resumed), Is.EqualTo(Rows(whole)));
        Assert.That(Directory.Exists(Path.Combine(resumed, "checkpoints")), Is.False, "a complete run needs none");
    }

    [GeneratedRegex("\"(seconds|images_per_second|train_loss)\":[^,}]*")]
    private static partial Regex TimesAndLoss();
}
