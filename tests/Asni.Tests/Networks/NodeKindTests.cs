using Asni.Cpu;
using Asni.Engine;
using Asni.Formats;
using Asni.Formats.Onnx;
using Asni.Networks;
using Asni.Pruning;
using Asni.Tensors;
using Asni.Tests.Formats;

namespace Asni.Tests.Networks;

/// <summary>Whatever decides by the kind of a node, tried on a network that has every kind.</summary>
public class NodeKindTests
{
    private static readonly Network s_every = Build();

    private static Network Build()
    {
        NetworkBuilder builder = new NetworkBuilder("every kind", new Chw(3, 12, 12)).Convolution("stem", 8, 3, stride: 2, padding: 1).BatchNorm("norm").Relu("cut")
            .Convolution("depthwise", 8, 3, padding: 1, groups: 8).Convolution("grouped", 8, 1, groups: 2).Convolution("wide", 6, 1, bias: true);
        foreach (Activation activation in Enum.GetValues<Activation>())
            if (activation != Activation.None) builder.Activate($"{activation}", activation);
        return builder.MaxPool("max", 3, 1, 1).Convolution("next", 5, 1).Residual("sum", b => b.Convolution("inner", 5, 1)).GlobalAveragePool("mean").Linear("last", 4).Build();
    }

    [Test]
    public void The_network_has_every_kind() =>
        Assert.That(s_every.Nodes.Select(n => n.GetType()).Distinct(), Is.EquivalentTo(typeof(Node).Assembly.GetTypes().Where(t => t.IsSubclassOf(typeof(Node)) && !t.IsAbstract)));

    [Test]
    public void Every_kind_is_analysed()
    {
        NetworkAnalysis analysis = NetworkAnalysis.Analyze(s_every);
        Assert.That(analysis.Layers.Select(l => l.Kind), Has.All.Not.Empty);
        Assert.That(analysis.Layers.Select(l => l.Kind).Except(["conv 1x1"]), Is.Unique.And.SupersetOf(new[] { "conv 3x3/2", "conv 3x3 depthwise", "conv 1x1 in 2 groups", "max-pool 3x3" }));
        Assert.That(analysis.Parameters, Is.EqualTo(s_every.Parameters.Where(p => p.IsTrained).Sum(p => p.Elements)));
    }

    [Test]
    public void Every_kind_is_written_and_read() =>
        GraphJsonTests.AssertEqual(GraphJson.Read(s_every.Name, GraphJson.Write(s_every), why => new AsniException(why)), s_every);

    [Test]
    public void Every_kind_is_exported([Values] bool keepBatchNorm)
    {
        using var folder = new TemporaryFolder();
        OnnxFile.Write(folder["n.onnx"], RandomNetworks.Weights(s_every, 0.5), "dense", new OnnxOptions(keepBatchNorm));
        Assert.That(new FileInfo(folder["n.onnx"]).Length, Is.GreaterThan(1000));
    }

    [Test]
    public void Every_kind_is_planned()
    {
        using var device = new CpuDevice(1);
        using var model = new Model(s_every, device);
        model.Load(RandomNetworks.Weights(s_every, 0));
        using var plan = new Plan(model, 2, training: true);
        plan.Load(new float[2 * s_every.Input.Elements], [0, 1]);
        plan.RunTraining();
        Assert.That(plan.ReadLoss().Loss, Is.GreaterThan(0).And.LessThan(1e6));
    }

    [Test]
    public void Units_pass_every_kind()
    {
        PrunableGroups groups = PrunableGroups.Find(s_every);
        Assert.That(groups.Groups.Select(g => g.Name), Is.EqualTo(new[] { "wide", "next" }));
        Assert.That(groups.Groups[0].Members.Select(n => n.GetType()).Distinct(), Is.EqualTo(new[] { typeof(ConvolutionNode), typeof(ActivationNode), typeof(MaxPoolNode) }));
        Assert.That(groups.Fixed.Select(f => f.Layer), Is.EqualTo(new[] { "stem", "grouped", "last" }));
    }

    /// <summary>A unit that nothing feeds puts out a constant, whichever activation stands between.</summary>
    [Test]
    public void A_dead_unit_behind_any_activation_is_taken_out([Values] Activation activation)
    {
        if (activation == Activation.None) return;
        Network network = new NetworkBuilder("n", new Chw(1, 2, 2)).Linear("a", 4).Activate("f", activation).Linear("b", 3).Build();
        TrainedNetwork trained = RandomNetworks.Weights(network, 0);
        float[] weights = [.. trained.Values[0]], biases = [.. trained.Values[1]];
        weights.AsSpan(4, 4).Clear();
        biases[1] = 0.75f;
        trained = trained with { Values = trained.Values.SetItem(0, weights).SetItem(1, biases) };
        TrainedNetwork smaller = DeadUnits.Remove(trained);
        Assert.That(smaller.Network.Nodes[1].Output.Channels, Is.EqualTo(3));
        float[] images = RandomNetworks.Images(network, 5), expected = RandomNetworks.Logits(trained, images, 5), actual = RandomNetworks.Logits(smaller, images, 5);
        for (int i = 0; i < expected.Length; i++) Assert.That(actual[i], Is.EqualTo(expected[i]).Within(1e-5));
    }
}
