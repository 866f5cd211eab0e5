using Asni.Formats;
using Asni.Networks;
using Asni.Tensors;
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

    /// <summary>Channels of residual streams too, in two rounds, then the same small network from new weights.</summary>
    [Test]
    public void A_network_without_channels_of_its_streams_goes_through_every_command()
    {
        using var folder = new TemporaryFolder();
        Run(["train", "--net", "resnet20", "--method", "structured", "--budget", "macs=0.4", "--criterion", "l2", "--rounds", "2", "--finetune-epochs", "1", "--scratch",
            "--out", folder["units"], "--data", "digits", "--limit", "120", "--device", "cpu", "--threads", "1", "--epochs", "1"]);
        string file = folder["units/structured.safetensors"];
        string report = File.ReadAllText(folder["units/report.html"]);
        foreach (string phase in (string[])["structured1", "structured", "scratch"]) Assert.That(report, Does.Contain(phase));
        Assert.That(Run("verify", file), Does.Contain("sound: all"));
        Assert.That(Run("info", file), Does.Match(@"resnet20\[conv1=\d+,layer1\.0\.conv1=\d+"));
        Assert.That(Run("info", folder["units/scratch.safetensors"]), Does.Contain("resnet20[conv1="));
        Assert.That(Run("eval", "--run", folder["units"]), Does.Contain("structured"));
        Assert.That(Run("compare", folder["units"]), Does.Contain("structured"));
        foreach (string format in new[] { "onnx", "asni" }) Run("export", "--run", folder["units"], "--to", format);
        Assert.That(Run("compact", file), Does.Contain("compact.safetensors"));
        CommandLine.ExpectFailure(2, "exclude each other", ["train", "--net", "resnet20", "--method", "structured", "--budget", "macs=0.4", "--ratio", "0.3", .. s_small]);
        CommandLine.ExpectFailure(2, "is not macs=SHARE, params=SHARE or latency=SHARE", ["train", "--net", "resnet20", "--method", "structured", "--budget", "1=0.4", .. s_small]);
        CommandLine.ExpectFailure(2, "is not macs=SHARE", ["train", "--net", "resnet20", "--method", "structured", "--budget", "macs,params=0.4", .. s_small]);
        CommandLine.ExpectFailure(2, "has no effect", ["train", "--net", "resnet20", "--method", "structured", "--calibration", "5x10", .. s_small]);
        CommandLine.ExpectFailure(2, "is not batches x images", ["train", "--net", "resnet20", "--method", "structured", "--criterion", "taylor", "--calibration", "50000x50000", .. s_small]);
        foreach (string[] method in (string[][])[["structured"], ["sglp"], ["ispasp", "--block-epochs", "0"]])
            CommandLine.ExpectFailure(2, "nothing is fine-tuned", ["train", "--net", "resnet20", "--finetune-epochs", "0", "--distill-weight", "0.1", "--method", .. method, .. s_small]);
        CommandLine.ExpectFailure(2, "distill-temperature", ["train", "--net", "mlp300", "--method", "structured", "--distill-weight", "0.5", "--distill-temperature", "1e20", .. s_small]);
        CommandLine.ExpectFailure(2, "no batch-norm behind units", ["train", "--net", "mlp300", "--method", "structured", "--unit-penalty", "slimming", .. s_small]);
        CommandLine.ExpectFailure(2, "has no effect", ["train", "--net", "mlp300", "--method", "structured", "--lambda", "0.1", .. s_small]);
        CommandLine.ExpectFailure(2, "whose units stay in this run", ["train", "--net", "resnet20", "--method", "structured", "--unit-scope", "blocks", "--ratios", "layer3.0=0.3", .. s_small]);
        CommandLine.ExpectFailure(2, "unit-allocation pooled needs another one", ["train", "--net", "resnet20", "--method", "structured", "--criterion", "ispasp", "--unit-allocation", "pooled", .. s_small]);
        CommandLine.ExpectFailure(2, "for hidden units", ["train", "--net", "resnet20", "--method", "structured", "--criterion", "greedy", .. s_small]);
        CommandLine.ExpectFailure(2, "cannot keep as little as", ["train", "--net", "resnet20", "--method", "structured", "--budget", "params=0.0001", .. s_small]);
        CommandLine.ExpectFailure(2, "round-epochs", ["train", "--net", "resnet20", "--method", "structured", "--round-epochs", "3", .. s_small]);
    }

    [Test]
    public void What_can_go_is_listed_for_a_network_and_for_a_file()
    {
        using var folder = new TemporaryFolder();
        string zoo = Run("info", "--net", "mobilenet_v2", "--groups");
        Assert.That(zoo, Does.Contain("features.2.conv.2, features.3.conv.2").And.Contain("no: 2 layers make its units").And.Contain("--all-blocks: no activation follows it").And.Contain("no: it gives the logits"));
        Network own = new NetworkBuilder("own", new Chw(3, 8, 8)).Convolution("a", 4, 3).Relu("r").GlobalAveragePool("mean").Linear("b", 3).Build();
        NetworkFile.Write(folder["own.safetensors"], RandomNetworks.Weights(own, 0), "dense");
        Assert.That(Run("info", folder["own.safetensors"], "--groups"), Does.Match(@"\| a +\| +4 \| b "));
        CommandLine.ExpectFailure(2, "--groups needs a network file or --net", "info", "--groups");
    }

    /// <summary>Its tensors are other than the network's: pruning weights at random is of no use to anybody.</summary>
    [Test]
    public void A_file_of_another_network_is_refused()
    {
        using var folder = new TemporaryFolder();
        NetworkFile.Write(folder["a.safetensors"], RandomNetworks.Weights(NetworkZoo.Create("mlp300[1=30]"), 0), "ispasp");
        foreach (string method in (string[])["structured", "ispasp"])
            CommandLine.ExpectFailure(1, "1.weight", ["train", "--net", "mlp300", "--init", folder["a.safetensors"], "--method", method, "--data", "digits", "--limit", "240"]);
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
