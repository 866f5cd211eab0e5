using Asni.Networks;
using Asni.Tensors;

namespace Asni.Tests.Networks;

public class NetworkAnalysisTests
{
    // torchvision's published GMACs (conv and linear layers, 224x224); mobilenet_v2's paper says 300 M.
    [TestCase("resnet18", 1.81)]
    [TestCase("resnet34", 3.66)]
    [TestCase("resnet50", 4.09)]
    [TestCase("resnet101", 7.80)]
    [TestCase("mobilenet_v2", 0.30)]
    public void Macs_are_the_published_ones(string name, double giga)
    {
        var analysis = NetworkAnalysis.Analyze(NetworkZoo.Create(name));
        Assert.That(analysis.Macs / 1e9, Is.EqualTo(giga).Within(0.0051));
        Assert.That(analysis.LiveMacs, Is.EqualTo(analysis.Macs));
    }

    [Test]
    public void Totals_agree_with_the_network([ValueSource(typeof(NetworkZoo), nameof(NetworkZoo.Names))] string name)
    {
        Network network = NetworkZoo.Create(name);
        var analysis = NetworkAnalysis.Analyze(network);
        Assert.That(analysis.Layers, Has.Length.EqualTo(network.Nodes.Length));
        Assert.That(analysis.Parameters, Is.EqualTo(network.ParameterCount));
        Assert.That(analysis.Weights, Is.EqualTo(network.WeightCount));
        Assert.That(analysis.Sparsity, Is.Zero);
    }

    [Test]
    public void A_layer_is_described_by_hand_computed_numbers()
    {
        Network network = new NetworkBuilder("hand", new Chw(4, 9, 7))
            .Convolution("grouped", 6, 3, stride: 2, padding: 1, groups: 2, bias: true)
            .Convolution("depthwise", 6, 3, padding: 1, groups: 6)
            .BatchNorm("norm").Relu6("relu").MaxPool("pool", 2, stride: 1)
            .Linear("fc", 3)
            .Build();
        var layers = NetworkAnalysis.Analyze(network).Layers;

        Assert.That(layers.Select(l => l.Kind), Is.EqualTo(new[]
            { "input", "conv 3x3/2 in 2 groups", "conv 3x3 depthwise", "batch-norm", "relu6", "max-pool 2x2", "linear" }));
        // 5x4 positions, each 6 outputs of 2 channels x 3 x 3.
        Assert.That(layers[1], Is.EqualTo(
            new LayerInfo("grouped", "conv 3x3/2 in 2 groups", new Chw(6, 5, 4), new Shape(6, 2, 3, 3), 114, 108, 108, 2160, 2160)));
        Assert.That(layers[2].Macs, Is.EqualTo(20 * 6 * 9));
        Assert.That(layers[3].Parameters, Is.EqualTo(12));
        Assert.That(layers[6], Is.EqualTo(new LayerInfo("fc", "linear", new Chw(3, 1, 1), new Shape(3, 72), 219, 216, 216, 216, 216)));
    }

    [Test]
    public void A_live_weight_costs_once_per_output_position()
    {
        Network network = NetworkZoo.Create("conv2");
        var analysis = NetworkAnalysis.Analyze(network, p => p.Name == "0.weight" ? 10 : p.Name == "6.weight" ? 7 : 0);
        Assert.That(analysis.Live, Is.EqualTo(17));
        Assert.That(analysis.LiveMacs, Is.EqualTo(10 * 32 * 32 + 7));
        Assert.That(analysis.Sparsity, Is.EqualTo(1 - 17.0 / analysis.Weights).Within(1e-15));
        Assert.That(analysis.Macs, Is.EqualTo(NetworkAnalysis.Analyze(network).Macs));
    }
}
