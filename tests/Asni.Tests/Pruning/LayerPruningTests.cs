using System.Collections.Immutable;
using Asni.Cpu;
using Asni.Data;
using Asni.Methods;
using Asni.Networks;
using Asni.Networks.Rewriting;
using Asni.Pruning;
using Asni.Pruning.Layers;
using Asni.Tensors;
using Asni.Tests.Devices;
using Asni.Tests.Methods;

namespace Asni.Tests.Pruning;

/// <summary>Residual blocks that go: which can, what the network computes without them, and how SGLP chooses.</summary>
public class LayerPruningTests
{
    [TestCase("resnet20", 9, 7)]
    [TestCase("resnet56", 27, 25)]
    [TestCase("resnet50", 16, 12)]
    [TestCase("mobilenet_v2", 10, 10)]
    [TestCase("vgg11", 0, 0)]
    public void Blocks_are_sums_and_those_that_change_the_shape_stay(string name, int all, int removable)
    {
        ImmutableArray<ResidualBlock> blocks = ResidualBlock.Find(NetworkZoo.Create(name));
        Assert.That((blocks.Length, blocks.Count(b => b.Input is not null)), Is.EqualTo((all, removable)));
        Assert.That(blocks.Select(b => b.Name), Is.Unique);
        if (name == "resnet20") Assert.That(blocks.Where(b => b.Input is null).Select(b => b.Name), Is.EqualTo(new[] { "layer2.0", "layer3.0" }));
    }

    /// <summary>Where the branch puts out 0 the block does nothing: removing it changes no logit, whatever follows the sum.</summary>
    [TestCase("resnet20", "layer1.0", "layer1.1", "layer3.2")]
    [TestCase("resnet50c", "layer1.1", "layer3.5")]
    [TestCase("mobilenet_v2", "features.3", "features.8", "features.9")]
    public void A_network_without_blocks_that_add_nothing_computes_the_same(string name, params string[] gone)
    {
        Network network = NetworkZoo.Create(name, new Chw(3, 32, 32), 5);
        TrainedNetwork model = MethodRunner.CreateInitialWeights(network, 3);
        foreach (ResidualBlock block in ResidualBlock.Find(network).Where(b => gone.Contains(b.Name)))
        {
            BatchNormNode last = block.Branch.OfType<BatchNormNode>().Last();
            foreach (Parameter p in (Parameter[])[last.Weight, last.Bias]) model = model with { Values = model.Values.SetItem(p.Index, new float[p.Elements]) };
        }
        TrainedNetwork shallow = ShallowNetwork.Without(network, gone).Carry(model);
        using var device = new CpuDevice(1);
        CoupledUnitTests.AssertSameLogits(model, shallow, device);
        Assert.That(shallow.Network.ParameterCount, Is.LessThan(network.ParameterCount));
        Assert.That(NetworkAnalysis.Analyze(shallow.Network).Macs, Is.LessThan(NetworkAnalysis.Analyze(network).Macs));
        Assert.That(shallow.Network.Name, Is.EqualTo($"{name}[{string.Join(',', gone.Select(b => b + "=0"))}]"));
        Network again = NetworkZoo.Create(shallow.Network.Name, network.Input, network.Classes);
        Assert.That(again.Parameters.Select(p => (p.Name, p.Shape)), Is.EqualTo(shallow.Network.Parameters.Select(p => (p.Name, p.Shape))), "built again by its name");
        Assert.That(again.Nodes.Select(n => (n.Name, n.Kind)), Is.EqualTo(shallow.Network.Nodes.Select(n => (n.Name, n.Kind))));
        if (name == "resnet20") Assert.That(again.Nodes.OfType<ActivationNode>().Count(), Is.EqualTo(network.Nodes.OfType<ActivationNode>().Count() - 2 * gone.Length), "nor the activations behind the sums");
    }

    [Test]
    public void A_shallower_network_loses_units_and_further_blocks()
    {
        Network network = NetworkZoo.Create("resnet20[layer1.1=0,layer2.1.conv1=8]");
        Assert.That(network.Name, Is.EqualTo("resnet20[layer1.1=0,layer2.1.conv1=8]"));
        Assert.That(ShallowNetwork.Without(network, ["layer1.0", "layer2.1"]).Network.Name, Is.EqualTo("resnet20[layer1.0=0,layer1.1=0,layer2.1=0]"));
        Assert.That(NarrowNetwork.Create(network, new Dictionary<string, int> { ["conv1"] = 5 }).Name, Is.EqualTo("resnet20[layer1.1=0,conv1=5,layer2.1.conv1=8]"));
        Assert.That(() => NetworkZoo.Create("resnet20[layer2.0=0]"), Throws.TypeOf<UsageException>().With.Message.StartsWith("the block layer2.0 cannot be taken out of resnet20"));
        Assert.That(() => NetworkZoo.Create("resnet20[layer9.0=0]"), Throws.TypeOf<UsageException>().With.Message.Contains("no residual block 'layer9.0'"));
    }

    /// <summary>An outer block with an inner one, and two sums whose names begin alike.</summary>
    [Test]
    public void Blocks_may_lie_within_blocks_and_each_has_a_name_of_its_own()
    {
        NetworkBuilder net = new NetworkBuilder("nested", new Chw(5, 1, 1)).Linear("in", 3).Relu("relu")
            .Residual("outer", b => b.Linear("up", 3).Residual("inner", i => i.Linear("mid", 3)).Linear("down", 3));
        Network network = net.Linear("out", 4).Build();
        Assert.That(ResidualBlock.Find(network).Select(b => (b.Name, b.Input is not null)), Is.EqualTo(new[] { ("outer.inner", true), ("outer", true) }));
        Assert.That(ShallowNetwork.Without(network, ["outer", "outer.inner"]).Network.Nodes.Select(n => n.Name), Is.EqualTo(new[] { "input", "in", "relu", "out" }));
        Assert.That(ShallowNetwork.Without(network, ["outer.inner"]).Network.Nodes.Select(n => n.Name), Is.EqualTo(new[] { "input", "in", "relu", "outer.up", "outer.down", "outer.add", "out" }));

        using var device = new CpuDevice(1);
        var calibration = new Calibration(BlobDataset.Split(30, new Chw(5, 1, 1), 4).Train, new ImageBatches(1, 20), 1, device, default);
        Assert.That(new LayerSelection { Ratio = 0.5 }.Choose(MethodRunner.CreateInitialWeights(network, 3), calibration, _ => { }), Is.EqualTo(new[] { "outer.inner" }), "the outer one would take it along");

        var alike = new NetworkBuilder("alike", new Chw(3, 1, 1)).Linear("in", 3);
        for (int b = 1; b <= 2; b++)
        {
            int start = b == 1 ? 1 : 3;
            alike.Linear($"l{b}", 3).Add($"stage.add{b}", start + 1, start);
        }
        Assert.That(ResidualBlock.Find(alike.Linear("out", 2).Build()).Select(b => b.Name), Is.EqualTo(new[] { "stage.add1", "stage.add2" }));
    }

    /// <summary>3 numbers of a block, 4 classes.</summary>
    [Test]
    public void Blocks_may_put_out_fewer_numbers_than_there_are_classes()
    {
        var net = new NetworkBuilder("narrow", new Chw(36, 1, 1)).Linear("in", 3).Relu("relu");
        for (int b = 1; b <= 2; b++) net.Residual($"b{b}", branch => branch.Linear("l", 3)).Relu($"relu{b}");
        Network network = net.Linear("out", 4).Build();
        using var device = new CpuDevice(1);
        var calibration = new Calibration(MethodTests.Data.Train, new ImageBatches(1, 32), 1, device, default);
        Assert.That(new LayerSelection { Ratio = 0.5 }.Choose(MethodRunner.CreateInitialWeights(network, 3), calibration, _ => { }), Has.Length.EqualTo(1));
    }

    /// <summary>1 of the images' numbers each: (-1, 0, 1) and (-4, -1, 5) / 3 after centering give 9 / (2 * 42 / 9).</summary>
    [Test]
    public void Similarity_by_hand()
    {
        double[] k = Similarity.Gram([1, 2, 3], 3), l = Similarity.Gram([1, 2, 4], 3);
        Assert.That(k, Is.EqualTo((double[])[1, 0, -1, 0, 0, 0, -1, 0, 1]).Within(1e-12));
        Assert.That(Similarity.Of(k, l), Is.EqualTo(0.96429).Within(1e-5));
        Assert.That(Similarity.Of(k, k), Is.EqualTo(1).Within(1e-12));
        Assert.That(Similarity.Of(k, Similarity.Gram([5, 5, 5], 3)), Is.Zero);
        float[] equal = [.. Enumerable.Repeat((float[])[0.1f, 0.7f, 1.3f, -2.9f, 0.33f], 7).SelectMany(v => v)];
        Assert.That(Similarity.Gram(equal, 7), Is.All.Zero, "but for rounding");
        float[] wide = Values.Random(3, 7 * 37);
        double[] gram = Similarity.Gram(wide, 7);
        double[] means = [.. Enumerable.Range(0, 37).Select(f => Enumerable.Range(0, 7).Average(n => (double)wide[n * 37 + f]))];
        double[] expected = [.. from i in Enumerable.Range(0, 7) from j in Enumerable.Range(0, 7) select Enumerable.Range(0, 37).Sum(f => (wide[i * 37 + f] - means[f]) * (wide[j * 37 + f] - means[f]))];
        Assert.That(gram, Is.EqualTo(expected).Within(1e-6), "as products of numbers that are centered first");
    }

    [Test]
    public void Segments_of_least_squares_by_hand()
    {
        double[] series = [1, 1.2, 3, 3.1, 2.9, 7, 7.2];
        Assert.That(FisherSegmentation.Split(series, 3), Is.EqualTo(new[] { 0, 2, 5 }));
        Assert.That(FisherSegmentation.Cost(series, [0, 2, 5]), Is.EqualTo(0.06).Within(1e-12));
        Assert.That(FisherSegmentation.Split(series), Is.EqualTo(new[] { 0, 2, 5 }), "a fourth takes next to nothing away");
        Assert.That(FisherSegmentation.Split([2, 2, 2]), Is.EqualTo(new[] { 0 }));
        Assert.That(FisherSegmentation.Split([2, 2 + 1e-15, 2 - 1e-15, 2]), Is.EqualTo(new[] { 0 }));
        Assert.That(FisherSegmentation.Split(series, 99), Is.EqualTo(Enumerable.Range(0, 7)));
        // Against all splits into 4.
        double[] random = [.. Values.Random(5, 9).Select(v => (double)v)];
        double least = (from a in Enumerable.Range(1, 8) from b in Enumerable.Range(1, 8) from c in Enumerable.Range(1, 8) where a < b && b < c select FisherSegmentation.Cost(random, [0, a, b, c])).Min();
        Assert.That(FisherSegmentation.Cost(random, FisherSegmentation.Split(random, 4)), Is.EqualTo(least).Within(1e-12));
    }

    [Test]
    public void Segments_keep_blocks_in_proportion_and_those_that_cannot_go()
    {
        ImmutableArray<ResidualBlock> blocks = ResidualBlock.Find(NetworkZoo.Create("resnet20"));
        ResidualBlock[][] segments = [[.. blocks[..3]], [.. blocks[3..4]], [.. blocks[4..]]];
        Assert.That(LayerSelection.Share(segments, 9), Is.EqualTo(new[] { 3, 1, 5 }));
        Assert.That(LayerSelection.Share(segments, 6), Is.EqualTo(new[] { 2, 1, 3 }));
        Assert.That(LayerSelection.Share(segments, 2), Is.EqualTo(new[] { 1, 1, 1 }), "one of each at least");
    }

    [Test]
    public void As_many_blocks_go_as_the_ratio_says_and_equal_outputs_have_similarity_1()
    {
        Method method = new LayerPruning();
        Network network = MethodTests.NetOf(method);
        TrainedNetwork model = MethodRunner.CreateInitialWeights(network, 3);
        using var device = new CpuDevice(1);
        var calibration = new Calibration(MethodTests.Data.Train, new ImageBatches(2, 32), 1, device, default);
        foreach ((double ratio, int gone) in ((double, int)[])[(0.75, 1), (0.5, 2), (0.25, 3)])
            Assert.That(new LayerSelection { Ratio = ratio, Segments = 1 }.Choose(model, calibration, _ => { }), Has.Length.EqualTo(gone).And.Ordered);
        Assert.That(new LayerSelection { Ratio = 0.25, Segments = 2 }.Choose(model, calibration, _ => { }), Has.Length.EqualTo(3), "one segment in place of two, of which each would keep one");
        Assert.That(new LayerSelection { Ratio = 0.5, Segments = 2 }.Choose(model, calibration, _ => { }), Has.Length.EqualTo(2));
        Parameter down = ResidualBlock.Find(network)[1].Branch.OfType<WeightedNode>().Last().Weight;
        TrainedNetwork idle = model with { Values = model.Values.SetItem(down.Index, new float[down.Elements]) };
        ImmutableArray<Node> outputs = [.. ResidualBlock.Find(network).Select(b => b.Output)];
        double[,] alike = Similarity.Measure(idle, outputs, calibration);
        Assert.That(alike[0, 1], Is.EqualTo(1).Within(1e-9));
        Assert.That(alike[0, 2], Is.LessThan(0.999).And.EqualTo(alike[2, 0]));
    }

    [Test]
    public void Of_a_segment_those_blocks_stay_with_which_the_gradient_is_largest()
    {
        Network network = MethodTests.NetOf(new LayerPruning());
        TrainedNetwork model = MethodRunner.CreateInitialWeights(network, 3);
        using var device = new CpuDevice(1);
        var calibration = new Calibration(MethodTests.Data.Train, new ImageBatches(1, 64), 1, device, default);
        string[] blocks = ["block1", "block2", "block3", "block4"];
        string expected = blocks.MaxBy(b => Norm(ShallowNetwork.Without(network, [b]).Carry(model)))!;
        Assert.That(new LayerSelection { Ratio = 0.75, Segments = 1 }.Choose(model, calibration, _ => { }), Is.EqualTo(new[] { expected }));

        // Of the loss of all images, by differences of the loss along each weight's gradient: one direction tells the norm.
        double Norm(TrainedNetwork of)
        {
            using var on = new Asni.Engine.Model(of.Network, device);
            on.Load(of);
            using var plan = new Asni.Engine.Plan(on, 64, training: true);
            var batch = new Batch(64, MethodTests.Data.Train.Shape);
            calibration.Draw().Fill(batch, 0);
            plan.Load(batch, MethodTests.Data.Train.Normalization);
            plan.RunTraining();
            return of.Network.Weights.Sum(p => Workbench.Read(on.Parameters, p.Index, Asni.Devices.ParameterSlot.Gradient).Sum(g => (double)g * g));
        }
    }

    [Test]
    public void What_cannot_be_is_refused()
    {
        Assert.That(() => new LayerSelection().Validate(NetworkZoo.Create("vgg11")), Throws.TypeOf<UsageException>().With.Message.EqualTo("vgg11 has no residual block that can be taken out."));
        Assert.That(() => new LayerSelection { Ratio = 1 }.Validate(NetworkZoo.Create("resnet20")), Throws.TypeOf<UsageException>().With.Message.EqualTo("a ratio of 1 leaves all 9 residual blocks of resnet20; 7 of them can go."));
        Assert.That(() => new LayerSelection { Ratio = 0.5, Segments = 9 }.Validate(NetworkZoo.Create("resnet20")), Throws.TypeOf<UsageException>().With.Message.EqualTo("9 segments: 5 residual blocks of resnet20 stay, and each segment keeps one."));
        foreach (int size in (int[])[2, 5000])
            Assert.That(() => new LayerSelection { Calibration = new ImageBatches(9, size) }.Validate(NetworkZoo.Create("resnet20")), Throws.TypeOf<UsageException>().With.Message.Contains("in batches of 3 to 4096 images"));
        Assert.That(() => new LayerSelection { Calibration = new ImageBatches(1, 4096) }.Validate(NetworkZoo.Create("resnet50")), Throws.TypeOf<UsageException>().With.Message.Contains("too many for batches"));
        Assert.That(() => NetworkZoo.Create("resnet20[layer1.0.conv1=0]"), Throws.TypeOf<UsageException>().With.Message.EqualTo("layer1.0.conv1 of resnet20 has 16 units; 0 of them cannot be kept."));
    }
}
