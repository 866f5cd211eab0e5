using Asni.Cpu;
using Asni.Formats;
using Asni.Methods;
using Asni.Networks;
using Asni.Runs;
using Asni.Tensors;
using Asni.Tests.Formats;

namespace Asni.Tests.Host;

/// <summary>A network that no list names: built, saved, and then in every place where a network of the zoo can be.</summary>
public class OwnNetworkTests : FolderTest
{
    private static readonly Network s_own = new NetworkBuilder("own", new Chw(1, 28, 28)).Convolution("first", 6, 5, stride: 2).BatchNorm("norm").Relu("cut")
        .Residual("block", b => b.Convolution("a", 12, 3, padding: 1).BatchNorm("n").Gelu("r").Convolution("b", 6, 3, padding: 1)).MaxPool("pool", 2)
        .Linear("hidden", 20).Silu("last").Linear("head", 10).Build();

    private static readonly string[] s_data = ["--data", "digits", "--limit", "300", "--epochs", "2", "--threads", "1"];

    private string Saved
    {
        get
        {
            string path = _folder["own.safetensors"];
            NetworkFile.Write(path, MethodRunner.CreateInitialWeights(s_own, 1), "dense");
            return path;
        }
    }

    [Test]
    public void ASNI_trains_it_and_what_it_delivers_serves_everywhere()
    {
        Expect(["--init", Saved, .. s_data, "--sparsity", "0.8", "--out", _folder["run"]]);
        StoredNetwork sparse = NetworkFormats.Read(_folder["run/asni2.safetensors"]), start = NetworkFormats.Read(_folder["run/asni2-init.asni"]);
        GraphJsonTests.AssertEqual(sparse.Trained.Network, s_own);
        GraphJsonTests.AssertEqual(start.Trained.Network, s_own);
        Assert.That(1 - (double)sparse.Trained.Kept / s_own.WeightCount, Is.EqualTo(0.8).Within(0.001));
        Assert.That(Expect("eval", "--run", _folder["run"], "--threads", "1"), Does.StartWith("asni2 of own on "));
        Expect("verify", _folder["run/asni2.safetensors"]);
        Expect("info", _folder["run/asni2-init.asni"]);
        Expect("export", "--run", _folder["run"], "--to", "onnx");
        Expect("compact", _folder["run/asni2.safetensors"]);
        Expect("compare", _folder["run"]);
        Expect(["--init", _folder["run/asni2-init.asni"], .. s_data, "--out", _folder["again"]]);
        using var modelDevice = new CpuDevice(1);
        using var model = RunInference.LoadModel(_folder["run"], modelDevice);
        Assert.That((model.Input, model.Classes), Is.EqualTo((s_own.Input, s_own.Classes)));
    }

    [Test]
    public void Its_units_are_pruned_and_the_narrow_network_goes_on_like_it()
    {
        Expect("--init", Saved, "--data", "digits", "--limit", "300", "--threads", "1", "--method", "ispasp", "--ratio", "0.5", "--out", _folder["run"]);
        TrainedNetwork narrow = NetworkFormats.Read(_folder["run/ispasp.safetensors"]).Trained;
        Assert.That(narrow.Network.Name, Does.StartWith("own["));
        Assert.That(narrow.Network.ParameterCount, Is.LessThan(s_own.ParameterCount));
        Expect(["--init", _folder["run/ispasp.safetensors"], .. s_data, "--sparsity", "0.5", "--out", _folder["sparse"]]);
        Assert.That(Expect("eval", "--run", _folder["sparse"], "--threads", "1"), Does.Contain("of own["));
    }

    /// <summary>A name, or a layer's name, may be one that has a meaning elsewhere.</summary>
    [TestCase("conv2", "head")]
    [TestCase("../up", "logits")]
    [TestCase("my[net]", "a,b=c")]
    public void Its_names_are_its_own(string name, string head)
    {
        Network network = new NetworkBuilder(name, new Chw(1, 28, 28)).Linear("first, \"one\"", 12).Relu("input").Linear(head, 10).Build();
        NetworkFile.Write(_folder["n.safetensors"], MethodRunner.CreateInitialWeights(network, 1), "dense");
        Expect("--init", _folder["n.safetensors"], "--data", "digits", "--limit", "200", "--epochs", "2", "--threads", "1", "--sparsity", "0.8", "--out", _folder["run"]);
        GraphJsonTests.AssertEqual(NetworkFormats.Read(_folder["run/asni2-init.asni"]).Trained.Network, network);
        Expect("compact", _folder["run/asni2.safetensors"]);
        Expect("export", "--run", _folder["run"], "--to", "onnx");
        Expect("--init", _folder["n.safetensors"], "--data", "digits", "--limit", "200", "--threads", "1", "--method", "ispasp", "--ratio", "0.5", "--out", _folder["units"]);
        Assert.That(NetworkFormats.Read(_folder["units/ispasp.safetensors"]).Trained.Network.ParameterCount, Is.LessThan(network.ParameterCount));
        Assert.That(File.ReadAllLines(_folder["run/layers.csv"])[1], Does.StartWith("\"first, \"\"one\"\".weight\","));
        var run = new RunDescription(network, "digits", "", "", 1, 1, 1);
        Assert.That(Path.GetDirectoryName(run.DefaultFolder(DateTime.UnixEpoch)), Is.EqualTo("runs"));
    }

    [Test]
    public void A_run_that_was_stopped_goes_on()
    {
        string[] arguments = ["--init", Saved, .. s_data, "--sparsity", "0.8", "--checkpoint-minutes", "0"];
        Expect([.. arguments, "--out", _folder["whole"]]);
        using (var program = new ProgramProcess([.. arguments, "--out", _folder["run"]]))
        {
            program.WaitUntil(() => File.Exists(_folder["run/asni1.safetensors"]));
            program.Signal("KILL");
            program.ExitCode();
        }
        if (RunFolder.IsComplete(_folder["run"])) Assert.Ignore("the run ended before it was killed");
        Expect("--resume", _folder["run"]);
        Assert.That(NetworkFormats.Read(_folder["run/asni2.safetensors"]).Trained.ComputeSha256(), Is.EqualTo(NetworkFormats.Read(_folder["whole/asni2.safetensors"]).Trained.ComputeSha256()));
    }

    [Test]
    public void What_does_not_go_with_it_is_one_sentence()
    {
        CommandLine.ExpectFailure(2, "--data names the one to train on", "--init", Saved);
        CommandLine.ExpectFailure(2, "own has the input size 1x28x28 and 10 classes; shapes has 3x", "--init", Saved, "--data", "shapes", "--limit", "40", "--input", "3x8x8", "--out", _folder["run"]);
        CommandLine.ExpectFailure(2, "There is no network 'own'", "--net", "own", "--data", "digits");
        CommandLine.ExpectFailure(1, "does not fit network lenet300", "--init", Saved, "--net", "lenet300", "--data", "digits", "--limit", "40", "--strict", "--out", _folder["run"]);
    }

    private static string Expect(params string[] arguments)
    {
        CommandLine.Outcome outcome = CommandLine.Run(arguments);
        Assert.That(outcome.ExitCode, Is.Zero, outcome.Error);
        return outcome.Output;
    }
}
