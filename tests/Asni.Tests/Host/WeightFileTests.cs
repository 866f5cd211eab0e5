using Asni.Formats;
using Asni.Networks;
using Asni.Tensors;
using Asni.Tests.Formats;

namespace Asni.Tests.Host;

/// <summary>Commands on a file that does not say what network it holds.</summary>
public class WeightFileTests : FolderTest
{
    private static readonly Network s_network = NetworkZoo.Create("lenet300");

    private TrainedNetwork _weights = null!;

    [SetUp]
    public void MakeFile()
    {
        _weights = RandomNetworks.Weights(s_network, 0.9);
        Write("w.safetensors", p => ("fc" + (p.Name[0] - '0' + 1) / 2 + p.Name[1..], p.Shape, _weights.Values[p.Index]));
    }

    [Test]
    public void Export_writes_it_as_what_net_says()
    {
        string output = Expect("export", _folder["w.safetensors"], "--net", "lenet300", "--to", "safetensors", "--out", _folder["out.safetensors"]);
        Assert.That(output, Does.Contain("note: 6 of 6 tensors come from").And.Contain("they are treated as pruned").And.Contain("imported of lenet300 written to"));
        TrainedNetwork back = NetworkFile.Read(_folder["out.safetensors"], s_network);
        Assert.That(back.Values, Is.EqualTo(_weights.Values));
        Assert.That(back.Masks.Select(m => m?.Live), Is.EqualTo(_weights.Masks.Select(m => m?.Live)));
        Expect("export", _folder["w.safetensors"], "--net", "lenet300", "--to", "onnx");
        Assert.That(File.Exists(_folder["w.onnx"]), Is.True);
        Expect("export", _folder["w.safetensors"], "--net", "lenet300", "--zeros", "live", "--to", "safetensors", "--out", _folder["live.safetensors"]);
        Assert.That(NetworkFile.Read(_folder["live.safetensors"], s_network).Masks, Is.All.Null);
    }

    [Test]
    public void Verify_counts_it() =>
        Assert.That(Expect("verify", _folder["w.safetensors"], "--net", "lenet300"), Does.Contain("266,200").And.Contain("sound: all"));

    [Test]
    public void Eval_gives_the_accuracy_of_the_same_network_in_our_own_file()
    {
        NetworkFile.Write(_folder["own.safetensors"], _weights, "asni1");
        string foreign = Expect("eval", _folder["w.safetensors"], "--net", "lenet300", "--data", "digits", "--threads", "1");
        string own = Expect("eval", _folder["own.safetensors"], "--data", "digits", "--threads", "1");
        static string Numbers(string output) => output[output.IndexOf("top-1", StringComparison.Ordinal)..output.IndexOf(" weights kept", StringComparison.Ordinal)];
        Assert.That(Numbers(foreign), Is.EqualTo(Numbers(own)));
        Assert.That(foreign, Does.Contain("imported of lenet300 on 10,000 test images of digits"));
    }

    [Test]
    public void Predict_takes_the_network_before_the_images()
    {
        byte[] png = PngOfDigit();
        File.WriteAllBytes(_folder["a.png"], png);
        string output = Expect("predict", _folder["w.safetensors"], _folder["a.png"], "--net", "lenet300", "--data", "mnist", "--threads", "1");
        Assert.That(output.Split('\n').Single(l => l.StartsWith(_folder["a.png"], StringComparison.Ordinal)), Does.Contain(" %, "));
        CommandLine.ExpectFailure(2, "needs --data, the dataset that it was trained on", "predict", _folder["w.safetensors"], _folder["a.png"], "--net", "lenet300");
        CommandLine.ExpectFailure(2, "or a network file, --data and images", "predict", _folder["a.png"], "--net", "lenet300", "--data", "mnist");
        CommandLine.ExpectFailure(2, "The images have 3 channels", "predict", _folder["w.safetensors"], _folder["a.png"], "--net", "lenet300", "--data", "cifar10");
    }

    [Test]
    public void The_classes_come_from_the_file()
    {
        Network network = NetworkZoo.Create("lenet300", null, 7);
        Write("seven.safetensors", network, p => (p.Name, p.Shape, Enumerable.Repeat(0.5f, (int)p.Elements).ToArray()));
        Assert.That(Expect("verify", _folder["seven.safetensors"], "--net", "lenet300"), Does.Contain("7 classes"));
        CommandLine.ExpectFailure(1, "5.weight is [7, 100] instead of [10, 100]", "verify", _folder["seven.safetensors"], "--net", "lenet300", "--classes", "10");
        CommandLine.ExpectFailure(2, "has 7 classes, digits has 10", "eval", _folder["seven.safetensors"], "--net", "lenet300", "--data", "digits");
    }

    [Test]
    public void What_does_not_fit_is_an_error_unless_it_is_allowed()
    {
        Write("part.safetensors", p => (p.Index == 0 ? "strange" : p.Name, p.Shape, _weights.Values[p.Index]));
        string file = _folder["part.safetensors"];
        foreach (string[] command in (string[][])[["verify", file], ["export", file, "--to", "asni"], ["eval", file, "--data", "digits"]])
            CommandLine.ExpectFailure(1, "not in the file: 1.weight; only in the file: strange; the shapes of 1 fit in order, and --match order takes them so; --no-strict takes what fits.",
                [.. command, "--net", "lenet300"]);
        Assert.That(File.Exists(_folder["part.asni"]), Is.False);
        Assert.That(Expect("verify", file, "--net", "lenet300", "--no-strict"), Does.Contain("note: 5 of 6 tensors come from"));
        Assert.That(Expect("verify", file, "--net", "lenet300", "--match", "order"), Does.Contain("note: taken in order: 1 from the network (weight)."));
    }

    [Test]
    public void Training_from_it_is_strict_for_retrain_and_says_what_zeros_are()
    {
        string[] train = ["--net", "lenet300", "--data", "digits", "--limit", "60", "--epochs", "1", "--threads", "1"];
        Write("part.safetensors", p => (p.Index == 0 ? "strange" : p.Name, p.Shape, _weights.Values[p.Index]));
        string whole = _folder["w.safetensors"], part = _folder["part.safetensors"];
        CommandLine.ExpectFailure(1, "; --no-strict takes what fits.", [.. train, "--method", "retrain", "--init", part, "--out", _folder["a"]]);
        CommandLine.ExpectFailure(1, "; --no-strict takes what fits.", [.. train, "--method", "dense", "--strict", "--init", part, "--out", _folder["b"]]);
        Assert.That(Expect([.. train, "--method", "dense", "--init", part, "--out", _folder["c"]]), Does.Contain("5 of 6 tensors"));
        Assert.That(Expect([.. train, "--method", "retrain", "--no-strict", "--init", part, "--out", _folder["d"]]), Does.Contain("5 of 6 tensors"));
        Assert.That(Expect([.. train, "--method", "retrain", "--init", whole, "--out", _folder["e"]]), Does.Contain("they are treated as pruned"));
        long kept = s_network.Weights.Sum(p => _weights.Masks[p.Index]!.Live);
        Assert.That(NetworkFile.Read(_folder["e/retrain.safetensors"], s_network).Masks.Sum(m => m?.Live ?? 0), Is.EqualTo(kept));
        Assert.That(Expect([.. train, "--method", "retrain", "--zeros", "live", "--init", whole, "--out", _folder["f"]]), Does.Contain("they are treated as live"));
        Assert.That(NetworkFile.Read(_folder["f/retrain.safetensors"], s_network).Masks, Is.All.Null);
        Assert.That(File.ReadAllText(_folder["f/recipe.yaml"]), Does.Contain("zeros: live"));
    }

    [Test]
    public void Requests_that_make_no_sense_are_one_sentence()
    {
        string file = _folder["w.safetensors"];
        CommandLine.ExpectFailure(2, "does not say what network it holds; --net names it", "verify", file);
        CommandLine.ExpectFailure(2, "--match needs --net", "verify", Own(), "--match", "order");
        CommandLine.ExpectFailure(2, "--match 'size' is not one of names, order", "verify", file, "--net", "lenet300", "--match", "size");
        CommandLine.ExpectFailure(2, "exclude each other", "verify", file, "--net", "lenet300", "--strict", "--no-strict");
        CommandLine.ExpectFailure(2, "--net is for a network file", "eval", "--run", _folder.Path, "--net", "lenet300");
        CommandLine.ExpectFailure(2, "either a network file or --run DIR", "eval");
        CommandLine.ExpectFailure(2, "needs --data, the dataset to evaluate it on", "eval", file, "--net", "lenet300");
        CommandLine.ExpectFailure(2, "say how the file of --init is read", "--net", "lenet300", "--data", "digits", "--zeros", "live");
        CommandLine.ExpectFailure(2, "--strict and --no-strict exclude each other", "--strict", "--no-strict");
    }

    [Test]
    public void A_folder_given_as_a_file_is_called_one()
    {
        foreach (string[] command in (string[][])[["info"], ["verify"], ["export", "--to", "onnx"], ["verify", "--net", "lenet300"]])
            CommandLine.ExpectFailure(1, $"{_folder.Path} is a folder", [command[0], _folder.Path, .. command[1..]]);
        CommandLine.ExpectFailure(2, "is a folder", "--init", _folder.Path);
        CommandLine.ExpectFailure(2, "is a folder", "--recipe", _folder.Path);
        NetworkFile.Write(_folder["asni1.safetensors"], _weights, "asni1");
    }

    [Test]
    public void Numbers_that_are_none_are_named_with_their_tensor_and_not_the_learning_rate()
    {
        _weights.Values[2][5] = float.NaN;
        Write("nan.safetensors", p => (p.Name, p.Shape, _weights.Values[p.Index]));
        const string words = "tensor 3.weight of ";
        CommandLine.ExpectFailure(1, words, "--net", "lenet300", "--data", "digits", "--limit", "60", "--epochs", "1", "--init", _folder["nan.safetensors"], "--out", _folder["r"]);
        CommandLine.ExpectFailure(1, words, "verify", _folder["nan.safetensors"], "--net", "lenet300");
        CommandLine.ExpectFailure(1, words, "eval", Own(), "--data", "digits");
        CommandLine.ExpectFailure(1, words, "export", Own(), "--to", "onnx");
        Assert.That(Directory.Exists(_folder["r"]), Is.False);
    }

    private string Own()
    {
        NetworkFile.Write(_folder["own.safetensors"], _weights, "asni1");
        return _folder["own.safetensors"];
    }

    /// <summary>28x28, grey in the middle.</summary>
    private static byte[] PngOfDigit() => new PngImage(28, 28, [.. Enumerable.Range(0, 3 * 28 * 28).Select(i => (byte)(i / 3 % 28 is > 10 and < 16 ? 255 : 0))]).Encode();

    private void Write(string name, Func<Parameter, (string, Shape, float[])> tensor) => Write(name, s_network, tensor);

    private void Write(string name, Network network, Func<Parameter, (string Name, Shape Shape, float[] Values)> tensor) =>
        SafetensorsWriter.Write(_folder[name], [.. network.Parameters.Select(tensor).Select(t => SafetensorsTensor.Single(t.Name, t.Shape, t.Values))], new Dictionary<string, string>());

    private static string Expect(params string[] args)
    {
        CommandLine.Outcome outcome = CommandLine.Run(args);
        Assert.That(outcome.ExitCode, Is.Zero, outcome.Error);
        return outcome.Output;
    }
}
