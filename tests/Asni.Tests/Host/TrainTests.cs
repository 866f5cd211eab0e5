using System.Text.Json;
using Asni.Formats;
using Asni.Host;
using Asni.Networks;

namespace Asni.Tests.Host;

/// <summary>Whole runs from the command line.</summary>
public class TrainTests : FolderTest
{
    [Test]
    public void A_small_run_leaves_a_complete_folder_that_can_be_evaluated_and_repeated()
    {
        CommandLine.Outcome run = Train(_folder["a"], "--controls", "ticket");
        Assert.That(run.ExitCode, Is.Zero, run.Error);
        Assert.That(run.Error, Is.Empty);
        Assert.That(run.Output, Does.Contain("two values per layer").And.Contain("run folder"));
        Assert.That(Directory.GetFiles(_folder["a"]).Select(Path.GetFileName), Is.EquivalentTo(new[]
        {
            "recipe.yaml", "metrics.jsonl", "summary.json", "layers.csv", "asni1.safetensors", "report.html", "asni2-init.safetensors",
                "asni2-init.asni", "asni2.safetensors", "ticket.safetensors",
        }));
        Assert.That(File.ReadAllLines(_folder["a/metrics.jsonl"]), Has.Length.EqualTo(9));
        JsonElement summary = Summary("a");
        Assert.That(summary.GetProperty("complete").GetBoolean(), Is.True);
        Assert.That(summary.GetProperty("asni1").GetProperty("kept").GetInt64(), Is.EqualTo(266_200 - 239_580), "sparsity 0.9 to one weight");
        Assert.That(summary.GetProperty("asni2").GetProperty("centroids").GetArrayLength(), Is.EqualTo(3));

        CommandLine.Outcome eval = CommandLine.Run("eval", "--run", _folder["a"], "--threads", "1");
        Assert.That(eval.ExitCode, Is.Zero, eval.Error);
        double top1 = summary.GetProperty("asni2").GetProperty("top1").GetDouble();
        Assert.That(eval.Output, Does.StartWith("asni2 of lenet300").And.Contain($"top-1 {Format.Percent(top1)}").And.Contain("26,620 weights kept"));
        CommandLine.ExpectFailure(2, "no network of phase 'dense'", "eval", "--run", _folder["a"], "--phase", "dense");

        CommandLine.Outcome again = CommandLine.Run("--recipe", _folder["a/recipe.yaml"], "--threads", "1", "--out", _folder["b"]);
        Assert.That(again.ExitCode, Is.Zero, again.Error);
        Assert.That(File.ReadAllBytes(_folder["b/ticket.safetensors"]), Is.EqualTo(File.ReadAllBytes(_folder["a/ticket.safetensors"])),
            "bit for bit");
    }

    [Test]
    public void The_initialization_has_two_values_a_layer_and_the_mask_of_the_first_phase()
    {
        Assert.That(Train(_folder["a"]).ExitCode, Is.Zero);
        Network network = NetworkZoo.Create("lenet300");
        TrainedNetwork start = NetworkFile.Read(_folder["a/asni2-init.safetensors"], network);
        TrainedNetwork sparse = NetworkFile.Read(_folder["a/asni1.safetensors"], network);
        foreach (Parameter p in network.Weights)
        {
            Assert.That(start.Values[p.Index].Where(v => v != 0).Distinct().Count(), Is.EqualTo(2), p.Name);
            Assert.That(start.Masks[p.Index]!.Words.ToArray(), Is.EqualTo(sparse.Masks[p.Index]!.Words.ToArray()), p.Name);
        }
    }

    [TestCase("dense")]
    [TestCase("asni1")]
    public void Other_methods_leave_their_own_network(string method)
    {
        CommandLine.Outcome run = CommandLine.Run("--data", "digits", "--limit", "300", "--epochs", "2", "--threads", "1", "--method", method,
            "--out", _folder["a"]);
        Assert.That(run.ExitCode, Is.Zero, run.Error);
        Assert.That(Directory.GetFiles(_folder["a"], "*.safetensors").Select(Path.GetFileName), Is.EqualTo(new[] { method + ".safetensors" }));
        Assert.That(Summary("a").GetProperty("complete").GetBoolean(), Is.True);
    }

    [Test]
    public void A_loss_that_explodes_is_one_sentence_and_leaves_no_folder()
    {
        CommandLine.ExpectFailure(1, "lower the learning rate", "--data", "digits", "--limit", "300", "--epochs", "2", "--threads", "1",
            "--optimizer", "sgd", "--lr", "1e30", "--out", _folder["a"]);
        Assert.That(Directory.GetFileSystemEntries(_folder.Path), Is.Empty);
    }

    [Test]
    public void Info_counts_what_the_paper_counts()
    {
        CommandLine.Outcome info = CommandLine.Run("info", "--net", "lenet300");
        Assert.That(info.ExitCode, Is.Zero);
        Assert.That(info.Output, Does.Contain("266,610 parameters").And.Contain("266,200 weights that can be pruned in 3 tensors"));
        Assert.That(CommandLine.Run("info").Output, Does.Contain("mobilenet_v2").And.Contain("3,504,872"));
    }

    [Test]
    public void Doctor_and_the_list_of_data_name_every_dataset()
    {
        foreach (string[] args in new[] { new[] { "doctor" }, ["data", "list"] })
        {
            CommandLine.Outcome outcome = CommandLine.Run([.. args, "--data-dir", _folder.Path]);
            Assert.That(outcome.ExitCode, Is.Zero, outcome.Error);
            foreach (string name in Asni.Data.Datasets.Names) Assert.That(outcome.Output, Does.Contain(name));
        }
    }

    [Test, Platform(Exclude = "Win")]
    public void Ctrl_C_saves_what_was_reached_and_exits_with_130()
    {
        ProgramProcess.AssumeArrives("INT");
        using (var program = new ProgramProcess("--data", "digits", "--limit", "2000", "--epochs", "100000", "--threads", "1", "--out", _folder["a"]))
        {
            var metrics = new FileInfo(_folder["a/metrics.jsonl"]);
            program.WaitUntil(() =>
            {
                metrics.Refresh();
                return metrics is { Exists: true, Length: > 0 };
            });
            program.Signal("INT");
            Assert.That(program.ExitCode(), Is.EqualTo(Entry.Interrupted), program.Error);
            Assert.That(program.Error, Does.Contain("stopping after this step"));
            Assert.That(program.Output, Does.Contain("asni1 (cut short)"));
        }
        Assert.That(Summary("a").GetProperty("complete").GetBoolean(), Is.False);
        Assert.That(NetworkFile.Read(_folder["a/asni1.safetensors"], NetworkZoo.Create("lenet300")).Values, Is.Not.Empty);
    }

    private static CommandLine.Outcome Train(string directory, params string[] more) =>
        CommandLine.Run(["train", "--data", "digits", "--limit", "600", "--epochs", "3", "--sparsity", "0.9", "--threads", "1", "--out",
            directory, .. more]);

    private JsonElement Summary(string run) => JsonDocument.Parse(File.ReadAllText(_folder[run + "/summary.json"])).RootElement;
}
