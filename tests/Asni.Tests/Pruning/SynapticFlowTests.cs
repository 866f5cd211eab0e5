using Asni.Cpu;
using Asni.Devices;
using Asni.Engine;
using Asni.Methods;
using Asni.Networks;
using Asni.Networks.Rewriting;
using Asni.Pruning;
using Asni.Tensors;
using Asni.Tests.Devices;

namespace Asni.Tests.Pruning;

/// <summary>SynFlow's score.</summary>
public class SynapticFlowTests
{
    private const double Sparsity = 0.999;

    private readonly CpuDevice _device = new(2);

    [OneTimeTearDown]
    public void Release() => _device.Dispose();

    [Test]
    public void Every_layer_s_scores_add_up_to_R_in_every_round_and_R_falls([Values] bool rescale)
    {
        using Model model = FlowModel(NetworkZoo.Create("lenet300"), seed: 1);
        using var score = new SynapticFlow(model, rescale);
        var pruner = new Pruner(model, score, new Pooled());
        double before = double.PositiveInfinity;
        for (int round = 1; round <= 100; round++)
        {
            pruner.PruneTo(1 - Math.Pow(1 - Sparsity, round / 100.0), _ => { });
            score.Write(model, model.Network.Weights);
            double[] sums = [.. model.Network.Weights.Select(p => Workbench.Read(model.Parameters, p.Index, ParameterSlot.Score).Sum(s => (double)s))];
            Assert.That(sums, Is.All.EqualTo(sums[0]).Within(1e-5 * sums[0]), $"round {round}");
            // Rescaled, scores are those of a multiple of R.
            if (!rescale) Assert.That(Math.Log2(sums[0]), Is.EqualTo(score.LogFlow).Within(2e-5), $"round {round}");
            Assert.That(score.LogFlow, Is.LessThan(before), $"round {round}");
            before = score.LogFlow;
        }
    }

    /// <summary>Known of one draw of random numbers: 125, 49 and 92 are kept; by the flow of one cut 0, 0 and 266; by magnitude 3, 170 and 93.</summary>
    [Test]
    public void In_a_hundred_rounds_no_layer_of_lenet300_runs_empty_where_one_cut_and_magnitudes_leave_none()
    {
        ulong[] seeds = [1, 2, 3, 4, 5];
        foreach (ulong seed in seeds.Take(3))
        {
            long[] flow = Kept(100, seed);
            Assert.That(flow.Sum(), Is.EqualTo(266));
            foreach ((long kept, int known) in flow.Zip((int[])[125, 49, 92])) Assert.That(kept, Is.EqualTo(known).Within(25), string.Join(", ", flow));
        }
        Assert.That(Kept(1, seed: 1), Is.EqualTo((long[])[0, 0, 266]));
        long[][] magnitudes = [.. seeds.Select(KeptByMagnitude)];
        foreach ((int layer, int known) in ((int[])[3, 170, 93]).Index())
            Assert.That(magnitudes.Average(m => m[layer]), Is.EqualTo(known).Within(25), string.Join(", ", magnitudes.Select(m => m[layer])));
    }

    [TestCase("lenet300")]
    [TestCase("conv2")]
    [TestCase("resnet20")]
    public void Powers_of_two_change_no_mask(string name)
    {
        Network network = name == "lenet300" ? NetworkZoo.Create(name) : NetworkZoo.Create(name, new Chw(3, 32, 32), 10);
        Assert.That(Masks(network, rescale: true), Is.EqualTo(Masks(network, rescale: false)));
    }

    /// <summary>Without rescaling the flow of a network so deep is infinite.</summary>
    [Test]
    public void A_deep_network_does_not_overflow()
    {
        using Model model = FlowModel(Deep(), seed: 1);
        using (var plain = new SynapticFlow(model, rescale: false))
            Assert.That(() => plain.Write(model, model.Network.Weights), Throws.TypeOf<AsniException>().With.Message.Contains("beyond the range"));
        using var score = new SynapticFlow(model);
        score.Write(model, model.Network.Weights);
        Assert.That(score.LogFlow, Is.GreaterThan(128).And.LessThan(1e4), "beyond single precision");
        var pruner = new Pruner(model, score, new Pooled());
        for (int round = 1; round <= 20; round++) pruner.PruneTo(1 - Math.Pow(0.01, round / 20.0), _ => { });
        Assert.That(model.Network.Weights.Select(p => model.Parameters.Live(p.Index)), Has.All.Positive);
    }

    [Test]
    public void Its_network_has_neither_batch_norm_nor_an_activation_that_saturates()
    {
        Network network = NetworkZoo.Create("mobilenet_v2", new Chw(3, 32, 32), 10), flow = SynapticFlow.NetworkOf(network).Network;
        Assert.That(flow.Nodes.OfType<BatchNormNode>(), Is.Empty);
        Assert.That(flow.Nodes.OfType<ActivationNode>().Select(a => a.Activation).Distinct(), Is.EqualTo((Activation[])[Activation.Relu]));
        Assert.That(flow.WeightCount, Is.EqualTo(network.WeightCount));
    }

    private static Network Deep()
    {
        var net = new NetworkBuilder("deep", new Chw(16, 1, 1));
        for (int i = 0; i < 100; i++) net = net.Linear($"fc{i}", 64).Relu($"relu{i}");
        return net.Linear("last", 4).Build();
    }

    private Model FlowModel(Network network, ulong seed)
    {
        RewrittenNetwork flow = SynapticFlow.NetworkOf(network);
        var model = new Model(flow.Network, _device);
        model.Load(SynapticFlow.Magnitudes(flow.Carry(MethodRunner.CreateInitialWeights(network, seed))));
        return model;
    }

    private long[] Kept(int rounds, ulong seed)
    {
        using Model model = FlowModel(NetworkZoo.Create("lenet300"), seed);
        Cut(model, rounds, rescale: true);
        return [.. model.Network.Weights.Select(p => model.Parameters.Live(p.Index))];
    }

    private long[] KeptByMagnitude(ulong seed)
    {
        using var model = new Model(NetworkZoo.Create("lenet300"), _device);
        model.Load(MethodRunner.CreateInitialWeights(model.Network, seed));
        new Pruner(model, new Magnitude(), new Pooled()).PruneTo(Sparsity, _ => { });
        return [.. model.Network.Weights.Select(p => model.Parameters.Live(p.Index))];
    }

    private ulong[][] Masks(Network network, bool rescale)
    {
        using Model model = FlowModel(network, seed: 3);
        Cut(model, 10, rescale);
        return [.. model.Network.Weights.Select(p => Workbench.MaskOf(model.Parameters, p.Index).Words.ToArray())];
    }

    private static void Cut(Model model, int rounds, bool rescale)
    {
        using var score = new SynapticFlow(model, rescale);
        var pruner = new Pruner(model, score, new Pooled());
        for (int round = 1; round <= rounds; round++) pruner.PruneTo(round == rounds ? Sparsity : 1 - Math.Pow(1 - Sparsity, (double)round / rounds), _ => { });
    }
}
