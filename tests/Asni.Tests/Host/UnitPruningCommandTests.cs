using Asni.Tests.Formats;

namespace Asni.Tests.Host;

/// <summary>--method ispasp and compact from the command line, and what becomes of their networks.</summary>
public class UnitPruningCommandTests
{
    private static readonly string[] s_small = ["--data", "digits", "--limit", "240", "--device", "cpu", "--threads", "1"];
    private static readonly string[] s_trained = [.. s_small, "--epochs", "2"];

    [Test]
    public void The_smaller_network_goes_through_every_command_and_trains_on_as_a_sparse_one()
    {
        using var folder = new TemporaryFolder();
        Run(["train", "--net", "mlp300", "--method", "ispasp", "--ratio", "0.1", "--calibration", "1x64", "--block-epochs", "0", "--finetune-epochs", "1",
            "--out", folder["units"], .. s_trained]);
        string file = folder["units/ispasp.safetensors"];
        Assert.That(File.ReadAllText(folder["units/report.html"]), Does.Contain("mlp300[1=30]: 23,860 parameters"));
        Assert.That(Run("verify", file), Does.Contain("sound: all"));
        Assert.That(Run("info", file), Does.Contain("mlp300[1=30]"));
        Assert.That(Run("eval", "--run", folder["units"]), Does.Contain("ispasp"));
        Assert.That(Run("compare", folder["units"]), Does.Contain("ispasp"));
        foreach (string format in new[] { "onnx", "asni" }) Run("export", "--run", folder["units"], "--to", format);

        Run(["train", "--net", "mlp300[1=30]", "--init", file, "--method", "asni1", "--sparsity", "0.5", "--out", folder["sparse"], .. s_trained]);
        Run(["train", "--net", "mlp300[1=30]", "--init", folder["sparse/asni1.safetensors"], "--method", "ispasp", "--ratio", "0.5", "--calibration", "1x64",
            "--block-epochs", "0", "--finetune-epochs", "1", "--out", folder["again"], .. s_small]);
        string sparse = Run("verify", folder["again/ispasp.safetensors"]);
        Assert.That(sparse, Does.Contain("mlp300[1=15]").And.Contain("sound: all"), "masks of the units that stay, stay");
        Assert.That(Run("compact", folder["again/ispasp.safetensors"]), Does.Contain("parameters became"));
        Assert.That(Run("verify", folder["again/ispasp.compact.safetensors"]), Does.Contain("sound: all"));
    }

    [Test]
    public void Requests_that_make_no_sense_are_one_sentence()
    {
        CommandLine.ExpectFailure(2, "--ratio '1.5' is not a number in (0, 1]", ["train", "--net", "mlp300", "--method", "ispasp", "--ratio", "1.5", .. s_small]);
        CommandLine.ExpectFailure(2, "layer9", ["train", "--net", "resnet20", "--method", "ispasp", "--ratios", "layer9=0.5", .. s_small]);
        CommandLine.ExpectFailure(1, "does not exist", "compact", "nowhere.safetensors");
    }

    private static string Run(params string[] args)
    {
        CommandLine.Outcome outcome = CommandLine.Run(args);
        Assert.That(outcome.ExitCode, Is.Zero, outcome.Error);
        return outcome.Output;
    }
}
