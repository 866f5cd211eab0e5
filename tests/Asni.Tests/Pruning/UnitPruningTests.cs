using System.Collections.Immutable;
using Asni.Cpu;
using Asni.Data;
using Asni.Devices;
using Asni.Engine;
using Asni.Formats;
using Asni.Methods;
using Asni.Networks;
using Asni.Networks.Rewriting;
using Asni.Pruning;
using Asni.Pruning.Units;
using Asni.Tensors;
using Asni.Tests.Devices;
using Asni.Tests.Formats;
using Asni.Tests.Methods;

namespace Asni.Tests.Pruning;

/// <summary>Structured pruning: which units can go, what the smaller network computes, and how i-SpaSP chooses.</summary>
public class UnitPruningTests
{
    private static Network Net(string name) => NetworkZoo.Create(name, name switch
    {
        "lenet300" => new Chw(1, 6, 6),
        "vgg11" => new Chw(3, 32, 32),
        _ => new Chw(3, 16, 16),
    }, 5);

    [Test]
    public void Groups_come_from_the_graph()
    {
        Assert.That(Names("lenet300"), Is.EqualTo(new[] { "1", "3" }));
        PrunableGroups resnet = PrunableGroups.Find(Net("resnet20"));
        Assert.That(resnet.Groups.Where(g => g.StaysBecause is null).Select(g => g.Name),
            Is.EqualTo(new[] { "layer1.0.conv1", "layer1.1.conv1", "layer2.1.conv1", "layer3.1.conv1" }));
        Assert.That(resnet.Groups.First(g => g.Name == "layer2.0.conv1").StaysBecause, Does.Contain("downsample"));
        PrunableGroup[] mobile = [.. PrunableGroups.Find(NetworkZoo.Create("mobilenet_v2")).Hidden];
        Assert.That(mobile.Where(g => g.StaysBecause is not null).Select(g => (g.Name, g.StaysBecause)), Is.EqualTo(new[]
        {
            ("features.1.conv.1", "no activation follows it"), ("features.17.conv.2", "no activation follows it"),
        }), "inverted residuals have no downsample branch");
        PrunableGroup inverted = mobile.First(g => g.Name == "features.2.conv.0.0");
        Assert.That(inverted.Members.OfType<ConvolutionNode>().Count(), Is.EqualTo(2), "the expansion and the depthwise convolution");
        Assert.That(inverted.Consumer.Name, Is.EqualTo("features.2.conv.2"));
        Assert.That(inverted.Norm, Is.Not.Null);
        Assert.That(Names("resnet50").Length, Is.EqualTo(32), "two in each of 16 blocks");
        string[] Names(string name) => [.. PrunableGroups.Find(name == "resnet50" ? NetworkZoo.Create(name) : Net(name)).Hidden.Select(g => g.Name)];
    }

    /// <summary>Units that are cut off at the consumer, against units that are not there: the same logits to the bit but for the order of sums.</summary>
    [TestCase("lenet300", "1")]
    [TestCase("conv4", "2")]
    [TestCase("conv4", "7")]
    [TestCase("vgg11", "features.8")]
    [TestCase("resnet20", "layer2.1.conv1")]
    [TestCase("resnet50c", "layer1.1.conv1")]
    [TestCase("mobilenet_v2", "features.2.conv.0.0")]
    public void The_smaller_network_computes_what_the_larger_one_does_without_those_units(string name, string layer)
    {
        Network network = name == "mobilenet_v2" ? NetworkZoo.Create(name, new Chw(3, 32, 32), 5) : Net(name);
        PrunableGroups all = PrunableGroups.Find(network);
        PrunableGroup group = all.Groups.FirstOrDefault(g => g.Name == layer) ?? all.Groups[all.Groups.Length / 2];
        TrainedNetwork model = Trained(network);
        int[] kept = [.. Enumerable.Range(0, group.Units).Where(u => u % 3 != 1)];
        TrainedNetwork small = NarrowNetwork.Keep(model, group, kept);
        Assert.That(small.Network.ParameterCount, Is.LessThan(network.ParameterCount));
        Assert.That(small.Network.Parameters.Select(p => small.Values[p.Index].LongLength), Is.EqualTo(small.Network.Parameters.Select(p => p.Elements)));

        Parameter consumer = group.Consumer.Weight;
        float[] cut = [.. model.Values[consumer.Index]];
        int plane = consumer.Filter.Height * consumer.Filter.Width;
        for (int i = 0; i < cut.Length; i++)
            if (i / plane % consumer.Filter.In % 3 == 1) cut[i] = 0;
        TrainedNetwork zeroed = model with { Values = model.Values.SetItem(consumer.Index, cut) };
        Outputs.AssertClose(Logits(zeroed), Logits(small), 1e-4, 1e-4, name);

        Network again = NetworkZoo.Create(small.Network.Name, network.Input, network.Classes);
        Assert.That(again.Parameters.Select(p => (p.Name, p.Shape)), Is.EqualTo(small.Network.Parameters.Select(p => (p.Name, p.Shape))), "built again by its name");
    }

    [Test]
    public void A_narrow_network_is_written_read_and_run_like_any_other()
    {
        using var folder = new TemporaryFolder();
        Network network = Net("resnet20");
        TrainedNetwork small = NarrowNetwork.Keep(Trained(network), PrunableGroups.Find(network).Hidden.First(), [0, 3, 5]);
        small = NarrowNetwork.Keep(small, PrunableGroups.Find(small.Network).Groups.First(g => g.Name == "layer2.1.conv1"), [.. Enumerable.Range(0, 7)]);
        Assert.That(small.Network.Name, Is.EqualTo("resnet20[layer1.0.conv1=3,layer2.1.conv1=7]"));
        NetworkFile.Write(folder["a.safetensors"], small, "ispasp");
        using var modelDevice = new CpuDevice(1);
        using var model = Asni.Inference.SparseModel.Load(folder["a.safetensors"], modelDevice, 2);
        var logits = new float[10];
        model.Run(Values.Random(4, 2 * network.Input.Elements), logits);
        Outputs.AssertClose(Logits(small), logits, 1e-4, 1e-4, "folded");
        Assert.That(() => NetworkZoo.Create("resnet20[layer1.0.conv2=3]"), Throws.TypeOf<UsageException>().With.Message.Contains("with those of conv1"));
        Assert.That(() => NetworkZoo.Create("resnet20[layer1.0.conv1=300]"), Throws.TypeOf<UsageException>().With.Message.Contains("16 units"));
        Assert.That(() => NetworkZoo.Create("resnet20[layer1.0.conv1]"), Throws.TypeOf<UsageException>().With.Message.Contains("layer=units"));
    }

    /// <summary>The importance is the derivative of half the squared residual output by each hidden activation, summed: checked by central differences.</summary>
    [TestCaseSource(typeof(DeviceCase), nameof(DeviceCase.All))]
    public void Importance_equals_central_differences(DeviceCase on)
    {
        Network network = Net("resnet20");
        TrainedNetwork model = Trained(network);
        PrunableGroup group = PrunableGroups.Find(network).Groups.First(g => g.Name == "layer3.1.conv1");
        int units = group.Units, positions = group.Hidden.Output.Positions, samples = 3;
        float[][] hidden = [.. Enumerable.Range(0, samples).Select(n => Values.Random((ulong)n + 50, units * positions).Select(Math.Abs).ToArray())];
        var sums = new float[units * positions];
        foreach (float[] h in hidden)
            for (int i = 0; i < sums.Length; i++) sums[i] += h[i];
        using Device device = on.Create();
        using var method = new ISpaSP(model, group, new HiddenSums(sums, samples), device);
        int[] kept = [1, 4, 9];
        foreach (int[] set in new[] { [], kept })
        {
            double[] importance = method.Importance(set);
            foreach (int unit in (int[])[0, 4, 37])
            {
                const double step = 1e-3;
                double difference = (Loss(set, unit, step) - Loss(set, unit, -step)) / (2 * step);
                Assert.That(importance[unit], Is.EqualTo(difference).Within(1e-3 * importance.Max(Math.Abs)), $"unit {unit}, {set.Length} kept");
            }
        }

        // ||g(H + e) - g(H_S)||^2 / 2 over all samples, e on every activation of a unit.
        double Loss(int[] set, int unit, double e)
        {
            double loss = 0;
            foreach (float[] h in hidden)
            {
                double[] all = Block(model, group, h.Select((v, i) => v + (i / positions == unit ? e : 0)).ToArray(), offset: true);
                double[] part = Block(model, group, h.Select((v, i) => set.Contains(i / positions) ? (double)v : 0).ToArray(), offset: true);
                for (int i = 0; i < all.Length; i++) loss += 0.5 * Math.Pow(all[i] - (set.Length == 0 ? 0 : part[i]), 2);
            }
            return loss;
        }
    }

    /// <summary>One output position, so that greedy selection samples all there are.</summary>
    [TestCaseSource(typeof(DeviceCase), nameof(DeviceCase.All))]
    public void Greedy_selection_takes_the_unit_that_leaves_the_least_error(DeviceCase on)
    {
        using Device device = on.Create();
        (TrainedNetwork model, PrunableGroup group, Calibration calibration, List<double[]> hidden) = OnePosition(device);
        var chosen = new HashSet<int>();
        for (int n = 0; n < 3; n++)
            chosen.Add(Enumerable.Range(0, group.Units).Except(chosen).MinBy(u => hidden.Sum(h => Error(h, [.. chosen, u]))));
        Assert.That(new GreedySelection(model, group, device).Select(3, calibration), Is.EqualTo(chosen.Order()));

        double Error(double[] h, int[] kept) => Block(model, group, [.. h.Select((v, u) => kept.Contains(u) ? 0 : v)], offset: false).Sum(v => v * v);
    }

    /// <summary>One output position, so that all sites are sampled: removal after removal by definition, and the least squares by trying other scales.</summary>
    [TestCaseSource(typeof(DeviceCase), nameof(DeviceCase.All))]
    public void ThiNet_removes_the_unit_that_adds_least_with_those_removed_and_scales_the_others(DeviceCase on)
    {
        using Device device = on.Create();
        (TrainedNetwork model, PrunableGroup group, Calibration calibration, List<double[]> hidden) = OnePosition(device);
        // Of each image and unit, what it adds to the outputs.
        double[][][] adds = [.. hidden.Select(h => Enumerable.Range(0, group.Units).Select(u => Block(model, group, [.. h.Select((v, k) => k == u ? v : 0)], offset: false)).ToArray())];
        const int keep = 12;
        var gone = new HashSet<int>();
        while (gone.Count < group.Units - keep)
            gone.Add(Enumerable.Range(0, group.Units).Except(gone).MinBy(u => Squares(v => v == u || gone.Contains(v) ? 1 : 0)));
        (int[] units, double[] scales) = new GreedySelection(model, group, device).SelectByRemoval(keep, calibration);
        Assert.That(units, Is.EqualTo(Enumerable.Range(0, group.Units).Except(gone)));

        double least = Error(scales), unscaled = Error([.. scales.Select(_ => 1.0)]);
        Assert.That(least, Is.LessThan(0.9 * unscaled).And.GreaterThan(0));
        for (int u = 0; u < keep; u++)
            foreach (double step in (double[])[-0.05, 0.05])
                Assert.That(Error([.. scales.Select((s, k) => k == u ? s + step : s)]), Is.GreaterThan(least * (1 - 1e-6)), $"scale {u}");

        // Squares of the difference to what all units put out.
        double Error(double[] with) => Squares(u => Array.IndexOf(units, u) is >= 0 and var at ? 1 - with[at] : 1);

        double Squares(Func<int, double> factor)
        {
            double[] factors = [.. Enumerable.Range(0, group.Units).Select(factor)];
            return adds.Sum(image => Enumerable.Range(0, image[0].Length).Sum(o => Math.Pow(image.Select((unit, u) => factors[u] * unit[o]).Sum(), 2)));
        }
    }

    /// <summary>A block whose hidden units have one position, calibration images, and the units' values for each of them.</summary>
    private static (TrainedNetwork Model, PrunableGroup Group, Calibration Calibration, List<double[]> Hidden) OnePosition(Device device)
    {
        Network network = NetworkZoo.Create("resnet20", new Chw(3, 4, 4), 5);
        TrainedNetwork model = RandomNetworks.Weights(network, 0);
        PrunableGroup group = PrunableGroups.Find(network).Groups.First(g => g.Name == "layer3.1.conv1");
        var calibration = new Calibration(BlobDataset.Split(64, network.Input, 5).Train, new ImageBatches(2, 8), 3, device, CancellationToken.None);
        var hidden = new List<double[]>();
        calibration.Push(model, group.Hidden, (values, images) =>
        {
            foreach (float[] h in values.ToArray().Chunk(group.Units).Take(images)) hidden.Add([.. h.Select(v => (double)v)]);
        });
        Assert.That(hidden, Has.Count.EqualTo(16));
        Assert.That(hidden.Min(h => h.Count(v => v > 0)), Is.GreaterThan(20));
        return (model, group, calibration, hidden);
    }

    [Test]
    public void What_ThiNet_scales_is_in_the_smaller_network()
    {
        Network network = NetworkZoo.Create("resnet20", new Chw(3, 8, 8), 5);
        TrainedNetwork model = Trained(network);
        ImmutableArray<PrunableGroup> groups = [PrunableGroups.Find(network).Groups.First(g => g.Name == "layer3.1.conv1")];
        using var device = new CpuDevice(1);
        var calibration = new Calibration(BlobDataset.Split(64, network.Input, 5).Train, new ImageBatches(2, 16), 3, device, CancellationToken.None);
        TrainedNetwork small = new UnitSelection { Criterion = UnitCriterion.ThiNet }.Prune(model, groups, [20], calibration);
        (int[] units, double[] scales) = new GreedySelection(model, groups[0], device).SelectByRemoval(20, calibration);
        float[] whole = model.Values[groups[0].Consumer.Weight.Index], narrow = small.Values[groups[0].Consumer.Weight.Index];
        int plane = 9;
        for (int i = 0; i < narrow.Length; i++)
        {
            (int o, int u, int k) = (i / (20 * plane), i / plane % 20, i % plane);
            Assert.That(narrow[i], Is.EqualTo(whole[(o * 64 + units[u]) * plane + k] * scales[u]).Within(1e-6));
        }
    }

    [Test]
    public void Units_that_carry_the_output_are_found()
    {
        // Three of eight units reach the output; the others have activations as large.
        Network network = Asni.Tests.Engine.TinyNetworks.Linear(4, 8, 3);
        TrainedNetwork model = MethodRunner.CreateInitialWeights(network, 1);
        Parameter consumer = network.Parameters[2];
        int[] carry = [1, 4, 6];
        float[] weights = [.. model.Values[consumer.Index].Select((_, i) => carry.Contains(i % 8) ? 0.5f + i % 8 : 0f)];
        model = model with { Values = model.Values.SetItem(consumer.Index, weights) };
        PrunableGroup group = PrunableGroups.Find(network).Groups[0];
        using var device = new CpuDevice(1);
        using var method = new ISpaSP(model, group, new HiddenSums([5, 1, 5, 5, 1, 5, 1, 5], 2), device);
        Assert.That(method.Importance([])[0], Is.Zero.Within(1e-5));
        double[] importance = method.Importance([]);
        Assert.That(carry.Min(u => importance[u]), Is.GreaterThan(Enumerable.Range(0, 8).Except(carry).Max(u => importance[u])));
    }

    [TestCase(UnitCriterion.ISpaSP)]
    [TestCase(UnitCriterion.L1)]
    [TestCase(UnitCriterion.Random)]
    [TestCase(UnitCriterion.Greedy)]
    public void A_whole_run_prunes_every_group_and_fine_tunes(UnitCriterion criterion)
    {
        Network network = Asni.Tests.Engine.TinyNetworks.Linear(36, 40, 20, 4);
        DatasetSplit data = BlobDataset.Split(400, new Chw(36, 1, 1), 4);
        var recipe = new Recipe
        {
            Network = "tiny",
            Data = "blobs",
            Epochs = 4,
            BatchSize = 50,
            Method = new UnitPruning
            {
                Target = new UnitTarget { Ratio = 0.25 },
                Selection = new UnitSelection { Criterion = criterion, Calibration = new ImageBatches(2, 64) },
                Finetuning = new UnitFinetuning { Epochs = 2, Rate = 1e-3 },
            },
        };
        using var device = new CpuDevice(2);
        var observer = new RecordingObserver();
        RunResult result = MethodRunner.Run(recipe, network, data, device, observer);
        Assert.That(result.Phases.Select(p => p.Phase), Is.EqualTo(new[] { "dense", "ispasp" }));
        Assert.That(result.Phases[1].Model.Network.Parameters[0].Shape, Is.EqualTo(new Shape(10, 36)));
        Assert.That(result.Phases[1].Model.Network.Parameters[2].Shape, Is.EqualTo(new Shape(5, 10)));
        Assert.That(result.Phases[1].Top1, Is.GreaterThan(0.3), "chance is 0.25");
        Assert.That(observer.Notes, Has.Some.Contains("10 of 40 units stay"));
    }

    /// <summary>Of a sparse network, also what it pays.</summary>
    [Test]
    public void The_control_from_scratch_has_the_same_units_and_masks()
    {
        Network network = Asni.Tests.Engine.TinyNetworks.Linear(36, 40, 20, 4);
        TrainedNetwork sparse = RandomNetworks.Weights(network, 0.8);
        var recipe = new Recipe
        {
            Network = "tiny",
            Data = "blobs",
            Epochs = 1,
            BatchSize = 50,
            Method = new StructuredPruning { Rounds = 2, Scratch = true, Finetuning = new UnitFinetuning { Epochs = 0 } },
        };
        using var device = new CpuDevice(1);
        RunResult result = MethodRunner.Run(recipe, network, BlobDataset.Split(200, new Chw(36, 1, 1), 4), device, start: sparse);
        Assert.That(result.Phases.Select(p => p.Phase), Is.EqualTo(new[] { "structured1", "structured", "scratch" }));
        (TrainedNetwork pruned, TrainedNetwork scratch) = (result.Phases[1].Model, result.Phases[2].Model);
        Assert.That(pruned.Network.Name, Is.EqualTo("tiny[fc1=20,fc2=10]"));
        foreach (Parameter p in pruned.Network.Weights)
        {
            Assert.That(scratch.Masks[p.Index]!.Words.SequenceEqual(pruned.Masks[p.Index]!.Words), p.Name);
            Assert.That(scratch.Values[p.Index], Is.Not.EqualTo(pruned.Values[p.Index]), p.Name);
        }
        Assert.That(result.Phases[1].TestLoss, Is.GreaterThan(0), "evaluated without an epoch of fine-tuning");
    }

    [TestCase("lenet300")]
    [TestCase("conv4")]
    [TestCase("resnet20")]
    public void Units_that_pruning_killed_go_and_the_logits_stay(string name)
    {
        Network network = Net(name);
        TrainedNetwork model = Trained(network);
        PrunableGroup group = PrunableGroups.Find(network).Hidden.Last();
        Parameter producer = group.Producer.Weight, consumer = group.Consumer.Weight;
        // Unit 1 is not read; unit 2 is not fed, and puts out 0; unit 3 is not fed, but puts out something, which goes where nothing is padded.
        int plane = consumer.Filter.Height * consumer.Filter.Width;
        float[] columns = [.. model.Values[consumer.Index].Select((v, i) => i / plane % consumer.Filter.In == 1 ? 0 : v)];
        float[] rows = [.. model.Values[producer.Index].Select((v, i) => i / producer.Filter.FanIn is 2 or 3 ? 0 : v)];
        model = model with { Values = model.Values.SetItem(consumer.Index, columns).SetItem(producer.Index, rows) };
        Parameter offset = group.Members.OfType<BatchNormNode>().FirstOrDefault()?.Bias ?? group.Producer.Bias!;
        float[] offsets = [.. model.Values[offset.Index].Select((v, i) => i == 2 ? -9 : i == 3 ? 9 : v)];
        model = model with { Values = model.Values.SetItem(offset.Index, offsets) };
        TrainedNetwork small = DeadUnits.Remove(model);
        Assert.That(PrunableGroups.Find(small.Network).Hidden.Last().Units, Is.EqualTo(group.Units - (name == "resnet20" ? 2 : 3)));
        Outputs.AssertClose(Logits(model), Logits(small), 1e-5, 1e-5, name);
    }

    /// <summary>g of one sample in double precision, by definition.</summary>
    private static double[] Block(TrainedNetwork model, PrunableGroup group, double[] h, bool offset)
    {
        var c = (ConvolutionNode)group.Consumer;
        FilterShape f = c.Weight.Filter;
        Chw from = group.Hidden.Output, to = c.Output;
        var y = new double[to.Elements];
        for (int o = 0; o < to.Channels; o++)
        {
            double scale = model.Values[group.Norm!.Weight.Index][o] / Math.Sqrt((double)model.Values[group.Norm.RunningVariance.Index][o] + group.Norm.Epsilon);
            double shift = model.Values[group.Norm.Bias.Index][o] - model.Values[group.Norm.RunningMean.Index][o] * scale;
            for (int p = 0; p < to.Positions; p++)
            {
                double sum = 0;
                for (int i = 0; i < f.In; i++)
                    for (int k = 0; k < f.Height * f.Width; k++)
                    {
                        int row = p / to.Width * c.Stride + k / f.Width - c.Padding, column = p % to.Width * c.Stride + k % f.Width - c.Padding;
                        if (row < 0 || row >= from.Height || column < 0 || column >= from.Width) continue;
                        sum += model.Values[c.Weight.Index][(o * f.In + i) * f.Height * f.Width + k] * h[(i * from.Height + row) * from.Width + column];
                    }
                y[o * to.Positions + p] = sum * scale + (offset ? shift : 0);
            }
        }
        return y;
    }

    /// <summary>Random weights with batch-norm numbers that are not their initial ones.</summary>
    private static TrainedNetwork Trained(Network network)
    {
        TrainedNetwork model = MethodRunner.CreateInitialWeights(network, 3);
        foreach (Parameter p in network.Parameters.Where(p => p.Kind is not (ParameterKind.Weight or ParameterKind.Bias)))
            model = model with
            {
                Values = model.Values.SetItem(p.Index, [.. Values.Random((ulong)p.Index, p.Elements).Select(v => p.Kind == ParameterKind.NormBias ? 0.1f * v : 0.75f + 0.25f * Math.Abs(v))])
            };
        return model;
    }

    private static float[] Logits(TrainedNetwork snapshot)
    {
        using var device = new CpuDevice(1);
        using var model = new Model(snapshot.Network, device);
        model.Load(snapshot);
        using var plan = new Plan(model, 2, training: false);
        plan.Load(Values.Random(4, 2 * snapshot.Network.Input.Elements), [0, 1]);
        plan.RunEvaluation();
        var logits = new float[2 * snapshot.Network.Classes];
        plan.ReadLogits(logits);
        return logits;
    }
}
