using Asni.Formats;
using Asni.Networks;

namespace Asni.Tests.Host;

/// <summary>Runs that start from a file, and what the program says of files.</summary>
public class InitTests : FolderTest
{
    [TestCase("2", "two numbers")]
    [TestCase("5", "levels")]
    public void The_amenable_file_gives_ASNI_II_again_bit_for_bit(string levels, string coding)
    {
        Expect(Train("a", "--sparsity", "0.9", "--levels", levels));
        string file = _folder["a/asni2-init.asni"];
        CommandLine.Outcome again = Train("b", "--init", file);
        Expect(again);
        Assert.That(again.Output, Does.Contain($"note: 6 of 6 tensors come from {file}.").And.Contain("retrain, 2 epochs"));
        Network network = NetworkZoo.Create("lenet300");
        TrainedNetwork first = NetworkFile.Read(_folder["a/asni2.safetensors"], network),
            second = NetworkFile.Read(_folder["b/retrain.safetensors"], network);
        Assert.That(second.Values, Is.EqualTo(first.Values));

        Expect(CommandLine.Run("--recipe", _folder["b/recipe.yaml"], "--threads", "1", "--out", _folder["c"]));
        Assert.That(NetworkFile.Read(_folder["c/retrain.safetensors"], network).Values, Is.EqualTo(first.Values), "the saved recipe names the file");
        CommandLine.Outcome eval = CommandLine.Run("eval", "--run", _folder["b"], "--threads", "1");
        Assert.That(eval.Output, Does.StartWith("retrain of lenet300"));

        CommandLine.Outcome info = CommandLine.Run("info", file);
        Expect(info);
        Assert.That(info.Output, Does.Contain(coding).And.Contain("asni2-init of lenet300, input 1x28x28, 10 classes; the checksum is correct.").And.Contain("times as much"));
        CommandLine.ExpectFailure(2, "the network to start from is pruned already, and the method asni1 needs one that has all its weights; --method retrain trains it under its mask.", "--data", "digits", "--limit", "300", "--init", file, "--method",
            "asni1", "--out", _folder["d"]);
    }

    [Test]
    public void A_dense_network_is_pruned_from_where_it_was()
    {
        Expect(Train("a", "--method", "dense"));
        CommandLine.Outcome run = Train("b", "--init", _folder["a/dense.safetensors"], "--method", "asni1", "--sparsity", "0.9");
        Expect(run);
        Assert.That(run.Output, Does.Contain("6 of 6 tensors come from"));
        Assert.That(CommandLine.Run("info", _folder["b/asni1.safetensors"]).Output, Does.Contain("asni1 of lenet300"));
    }

    [Test]
    public void A_file_that_cannot_serve_is_one_sentence()
    {
        CommandLine.ExpectFailure(2, "does not exist", "--init", _folder["none.asni"]);
        CommandLine.ExpectFailure(2, "needs a network to start from; --init FILE gives it one.", "--data", "digits", "--limit", "300", "--method",
            "retrain", "--out", _folder["r"]);
        File.WriteAllText(_folder["x.asni"], "ASNI, but not really");
        CommandLine.ExpectFailure(1, "is not a usable .asni file", "--init", _folder["x.asni"]);
        CommandLine.ExpectFailure(1, "is not a usable .asni file", "info", _folder["x.asni"]);
        CommandLine.ExpectFailure(1, "does not exist", "info", _folder["none"]);
    }

    private CommandLine.Outcome Train(string name, params string[] more) => CommandLine.Run(
        ["--net", "lenet300", "--data", "digits", "--limit", "300", "--epochs", "2", "--threads", "1", "--out", _folder[name], .. more]);

    private static void Expect(CommandLine.Outcome outcome) => Assert.That(outcome.ExitCode, Is.Zero, outcome.Error);
}
