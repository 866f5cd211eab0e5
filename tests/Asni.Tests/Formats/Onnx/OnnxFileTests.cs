using System.Globalization;
using Asni.Formats;
using Asni.Formats.Onnx;
using Asni.Networks;
using Asni.Tensors;

namespace Asni.Tests.Formats.Onnx;

public class OnnxFileTests : FolderTest
{
    private const int Images = 3;

    [TestCase("checker")]
    [TestCase("opencv")]
    [TestCase("onnxruntime")]
    public void Other_programs_read_our_files_and_give_our_logits(string consumer)
    {
        (string Name, Chw Input)[] networks =
        [
            ("lenet300", new Chw(1, 28, 28)), ("conv2", new Chw(3, 32, 32)), ("conv4a", new Chw(3, 32, 32)), ("vgg11", new Chw(3, 32, 32)),
            ("resnet20", new Chw(3, 32, 32)), ("resnet18", new Chw(3, 48, 40)), ("mobilenet_v2", new Chw(3, 64, 64)),
        ];
        foreach ((string name, Chw input) in networks) WriteCases(NetworkZoo.Create(name, input, 10));
        WriteCases(Smooth);
        string[] lines = Python.Run("Formats.Onnx.consume.py", _folder.Path, consumer, _folder.Path).Split('\n',
            StringSplitOptions.RemoveEmptyEntries);
        Assert.That(lines, Has.Length.EqualTo((networks.Length + 1) * (consumer == "opencv" ? 2 : 3)));
        foreach (string line in lines)
            Assert.That(double.Parse(line.Split(' ')[1].Replace("inf", "1e9"), CultureInfo.InvariantCulture), Is.LessThan(1e-4), line);
        TestContext.Out.WriteLine(string.Join('\n', lines));
    }

    private static Network Smooth => new NetworkBuilder("smooth", new Chw(2, 8, 8))
        .Convolution("silu", 5, 3).BatchNorm("norm").Silu("silu.sigmoid").Gelu("gelu").Linear("fc", 16).Silu("flat").Linear("last", 10).Build();

    [Test]
    public void A_smooth_activation_is_made_of_simpler_operators()
    {
        ProtoReader graph = Graph(Smooth, RandomNetworks.Weights(Smooth, 0.8), new OnnxOptions());
        Assert.That(Types(graph), Is.EqualTo(new[] { "Conv", "Sigmoid", "Mul", "Mul", "Erf", "Mul", "Add", "Mul", "Flatten", "Gemm", "Sigmoid", "Mul", "Gemm", "Identity" }));
        Assert.That(graph.Messages(1).Select(n => n.Text(2)), Is.Unique);
    }

    [Test]
    public void Every_activation_has_a_form([Values] Activation activation)
    {
        if (activation == Activation.None) return;
        Network network = new NetworkBuilder("n", new Chw(2, 4, 4)).Linear("fc", 3).Activate("a", activation).Build();
        Assert.That(Types(Graph(network, RandomNetworks.Weights(network, 0), new OnnxOptions())).Count(), Is.GreaterThan(3));
    }

    [Test]
    public void Folding_leaves_no_batch_norm_and_keeps_zeros()
    {
        Network network = NetworkZoo.Create("resnet20");
        TrainedNetwork weights = RandomNetworks.Weights(network, 0.8);
        ProtoReader kept = Graph(network, weights, new OnnxOptions(KeepBatchNorm: true)), folded = Graph(network, weights, new OnnxOptions());
        Assert.That(Types(kept).Count(t => t == "BatchNormalization"), Is.EqualTo(network.Nodes.OfType<BatchNormNode>().Count()));
        Assert.That(Types(folded), Has.None.EqualTo("BatchNormalization"));
        float[] before = weights.Values[0], after = Initializer(folded, "conv1.weight");
        Assert.That(after.Select(v => v == 0), Is.EqualTo(before.Select(v => v == 0)));
        Assert.That(after, Is.Not.EqualTo(before));
        Assert.That(Initializer(kept, "conv1.weight"), Is.EqualTo(before));
    }

    [Test]
    public void A_layer_that_others_read_too_keeps_its_batch_norm()
    {
        // conv feeds both the batch-norm and the sum.
        var weight = new Parameter(0, "c.weight", ParameterKind.Weight, new Shape(1, 1, 1, 1), new FilterShape(1, 1, 1, 1));
        Parameter Vector(int index, string name, ParameterKind kind) => new(index, name, kind, new Shape(1), new FilterShape(1, 1, 1, 1));
        Parameter[] norm = [Vector(1, "b.weight", ParameterKind.NormWeight), Vector(2, "b.bias", ParameterKind.NormBias),
            Vector(3, "b.running_mean", ParameterKind.RunningMean), Vector(4, "b.running_var", ParameterKind.RunningVariance)];
        var shape = new Chw(1, 2, 2);
        var network = new Network("n",
        [
            new InputNode(0, shape), new ConvolutionNode(1, "c", 0, shape, weight, null, 1, 0, 1),
            new BatchNormNode(2, "b", 1, shape, norm[0], norm[1], norm[2], norm[3]), new AddNode(3, "add", 1, 2, shape),
        ], [weight, .. norm]);
        var weights = new TrainedNetwork(network, [.. network.Parameters.Select(_ => new float[] { 2 })], [null, null, null, null, null]);
        Assert.That(Types(Graph(network, weights, new OnnxOptions())), Is.EqualTo(new[] { "Conv", "BatchNormalization", "Add", "Flatten" }));
    }

    [Test]
    public void The_model_says_its_operator_set_and_that_any_batch_fits()
    {
        Network network = NetworkZoo.Create("lenet300");
        OnnxFile.Write(_folder["n.onnx"], RandomNetworks.Weights(network, 0), "dense", new OnnxOptions());
        var model = new ProtoReader(File.ReadAllBytes(_folder["n.onnx"]));
        Assert.That(model.Message(8).Integer(2), Is.EqualTo(17));
        Assert.That(model.Messages(14).Select(m => m.Text(1) + "=" + m.Text(2)), Is.EqualTo(new[] { "network=lenet300", "phase=dense" }));
        ProtoReader input = model.Message(7).Message(11);
        Assert.That(input.Text(1), Is.EqualTo("input"));
        List<ProtoReader> dims = [.. input.Message(2).Message(1).Message(2).Messages(1)];
        Assert.That(dims[0].Text(2), Is.EqualTo("N"));
        Assert.That(dims.Skip(1).Select(d => d.Integer(1)), Is.EqualTo(new[] { 1, 28, 28 }));
    }

    [Test]
    public void Sparse_initializers_make_a_sparse_network_smaller()
    {
        Network network = NetworkZoo.Create("lenet300");
        TrainedNetwork weights = RandomNetworks.Weights(network, 0.95);
        OnnxFile.Write(_folder["dense.onnx"], weights, "asni1", new OnnxOptions());
        OnnxFile.Write(_folder["sparse.onnx"], weights, "asni1", new OnnxOptions(Sparse: true));
        Assert.That(new FileInfo(_folder["sparse.onnx"]).Length, Is.LessThan(new FileInfo(_folder["dense.onnx"]).Length / 5));
    }

    private void WriteCases(Network network)
    {
        TrainedNetwork weights = RandomNetworks.Weights(network, 0.8);
        float[] images = RandomNetworks.Images(network, Images), logits = RandomNetworks.Logits(weights, images, Images);
        foreach ((string suffix, OnnxOptions options) in new[] { ("", new OnnxOptions()), ("-norm", new OnnxOptions(KeepBatchNorm: true)),
            ("-sparse", new OnnxOptions(Sparse: true)) })
        {
            string at = _folder[network.Name + suffix];
            OnnxFile.Write(at + ".onnx", weights, "asni1", options);
            RandomNetworks.WriteRaw(at + ".input", images);
            RandomNetworks.WriteRaw(at + ".logits", logits);
            File.WriteAllText(at + ".shape", $"{Images} {network.Input.Channels} {network.Input.Height} {network.Input.Width}");
        }
    }

    private ProtoReader Graph(Network network, TrainedNetwork weights, OnnxOptions options)
    {
        OnnxFile.Write(_folder["g.onnx"], weights, "dense", options);
        return new ProtoReader(File.ReadAllBytes(_folder["g.onnx"])).Message(7);
    }

    private static IEnumerable<string> Types(ProtoReader graph) => graph.Messages(1).Select(n => n.Text(4));

    private static float[] Initializer(ProtoReader graph, string name) =>
        System.Runtime.InteropServices.MemoryMarshal.Cast<byte,
            float>(graph.Messages(5).Single(t => t.Text(8) == name).All<byte[]>(9).Single()).ToArray();
}
