using Asni.Formats;
using Asni.Formats.Amenable;
using Asni.Networks;
using Asni.Tests.Formats;

namespace Asni.Tests.Host;

public class ExportTests : FolderTest
{
    private static readonly Network s_network = NetworkZoo.Create("lenet300");

    private TrainedNetwork _weights = null!;

    [SetUp]
    public void MakeNetwork()
    {
        _weights = RandomNetworks.Weights(s_network, 0.9);
        NetworkFile.Write(_folder["asni1.safetensors"], _weights, "asni1");
    }

    [Test]
    public void A_run_s_network_is_written_in_every_format()
    {
        foreach (string format in new[] { "onnx", "asni" })
        {
            CommandLine.Outcome outcome = CommandLine.Run("export", "--run", _folder.Path, "--to", format);
            Assert.That(outcome.ExitCode, Is.Zero, outcome.Error);
            Assert.That(outcome.Output, Does.StartWith($"asni1 of lenet300 written to {_folder["asni1." + format]}"));
            Assert.That(File.Exists(_folder["asni1." + format]), Is.True);
        }
        CommandLine.Run("export", _folder["asni1.asni"], "--to", "safetensors", "--out", _folder["back.safetensors"]);
        Assert.That(File.ReadAllBytes(_folder["back.safetensors"]), Is.EqualTo(File.ReadAllBytes(_folder["asni1.safetensors"])),
            "there and back without loss");
        CommandLine.Run("export", "--run", _folder.Path, "--phase", "asni1", "--to", "asni", "--half", "--out", _folder["half.asni"]);
        Assert.That(new FileInfo(_folder["half.asni"]).Length, Is.LessThan(new FileInfo(_folder["asni1.asni"]).Length));
    }

    [Test]
    public void A_request_that_makes_no_sense_is_one_sentence()
    {
        string file = _folder["asni1.safetensors"];
        CommandLine.ExpectFailure(2, "did you mean onnx", "export", file, "--to", "onx");
        CommandLine.ExpectFailure(2, "either a network file or --run", "export", "--to", "onnx");
        CommandLine.ExpectFailure(2, "either a network file or --run", "export", file, "--run", _folder.Path, "--to", "onnx");
        CommandLine.ExpectFailure(2, "is the file that is read", "export", file, "--to", "safetensors");
        CommandLine.ExpectFailure(2, "--half is for --to asni", "export", file, "--to", "onnx", "--half");
        CommandLine.ExpectFailure(2, "are for --to onnx", "export", file, "--to", "asni", "--sparse");
        CommandLine.ExpectFailure(2, "no network of phase 'asni2'", "export", "--run", _folder.Path, "--phase", "asni2", "--to", "onnx");
        CommandLine.ExpectFailure(1, "does not exist", "export", _folder["none"], "--to", "onnx");
    }

    [Test]
    public void Verify_counts_in_every_way_and_finds_the_network_sound()
    {
        AsniFile.Write(_folder["n.asni"], _weights, "asni1");
        foreach (string path in new[] { _folder["asni1.safetensors"], _folder["n.asni"] })
        {
            CommandLine.Outcome outcome = CommandLine.Run("verify", path);
            Assert.That(outcome.ExitCode, Is.Zero, outcome.Error);
            Assert.That(outcome.Output, Does.Contain("266,200").And.Contain("265,200").And.Contain("266,610").And.Contain("sound: all"));
        }
    }

    [Test]
    public void Verify_finds_a_pruned_weight_that_is_not_zero_and_values_that_are_no_numbers()
    {
        int pruned = Array.FindIndex(_weights.Values[0], v => v == 0);
        _weights.Values[0][pruned] = -0f;
        NetworkFile.Write(_folder["a.safetensors"], _weights, "asni1");
        CommandLine.ExpectFailure(1, "1 pruned elements are not 0.", "verify", _folder["a.safetensors"]);
        _weights.Values[0][pruned] = 0;
        _weights.Values[1][0] = float.NaN;
        NetworkFile.Write(_folder["b.safetensors"], _weights, "asni1");
        CommandLine.ExpectFailure(1, "1 values are NaN or infinite.", "verify", _folder["b.safetensors"]);
        Assert.That(CommandLine.Run("verify", _folder["b.safetensors"]).Output, Does.Contain("1.bias holds values that are NaN or infinite."));
    }

    [Test]
    public void Verify_tells_of_live_zeros_and_empty_layers()
    {
        int live = Array.FindIndex(_weights.Values[0], v => v != 0);
        _weights.Values[0][live] = 0;
        Array.Clear(_weights.Values[2]);
        NetworkFile.Write(_folder["a.safetensors"],
            _weights with { Masks = _weights.Masks.SetItem(2, new Asni.Tensors.Mask(_weights.Values[2].Length, live: false)).SetItem(4, null) }, "asni1");
        string output = CommandLine.Run("verify", _folder["a.safetensors"]).Output;
        Assert.That(output, Does.Contain("1 live weights are 0.").And.Contain("3.weight has no live weight.").And.Contain("in tensors without a mask"));
    }

    [Test]
    public void Verify_refuses_what_describes_no_network()
    {
        SafetensorsWriter.Write(_folder["x"], [], new Dictionary<string, string>());
        CommandLine.ExpectFailure(2, "does not say what network it holds; --net names it", "verify", _folder["x"]);
    }
}
