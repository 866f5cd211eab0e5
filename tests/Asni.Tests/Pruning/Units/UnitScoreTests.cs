using System.Collections.Immutable;
using Asni.Cpu;
using Asni.Data;
using Asni.Devices;
using Asni.Networks;
using Asni.Pruning;
using Asni.Pruning.Units;
using Asni.Tensors;
using Asni.Tests.Devices;
using Asni.Tests.Formats;
using Asni.Tests.Methods;

namespace Asni.Tests.Pruning.Units;

/// <summary>What scores say of units, by hand and by differences of the loss.</summary>
public class UnitScoreTests
{
    /// <summary>Three filters on a line.</summary>
    private static readonly float[] s_line = [0, 3, 0, 5, 0, -9];

    [Test]
    public void Norms_and_distances_of_three_filters_on_a_line()
    {
        (TrainedNetwork model, ImmutableArray<PrunableGroup> groups) = Line(new NetworkBuilder("n", new Chw(2, 1, 1)).Linear("a", 3).Relu("r").Linear("b", 2).Build(), s_line);
        Assert.That(Score(UnitCriterion.L1, model, groups)[0], Is.EqualTo(new[] { 3.0, 5, 9 }));
        Assert.That(Score(UnitCriterion.L2, model, groups)[0], Is.EqualTo(new[] { 3.0, 5, 9 }));
        Assert.That(Score(UnitCriterion.Fpgm, model, groups)[0], Is.EqualTo(new[] { 14.0, 16, 26 }), "the one in the middle goes");
        TrainedNetwork two = new UnitSelection { Criterion = UnitCriterion.L1 }.Prune(model, groups, [2], null!);
        Assert.That(two.Values[0], Is.EqualTo(s_line[2..]), "the largest two, in their order");
    }

    /// <summary>Filters of 20 inputs, longer than a vector and no multiple of one.</summary>
    [Test]
    public void Norms_and_distances_of_long_filters()
    {
        Network network = new NetworkBuilder("n", new Chw(20, 1, 1)).Linear("a", 4).Relu("r").Linear("b", 2).Build();
        TrainedNetwork model = RandomNetworks.Weights(network, 0);
        float[][] rows = [.. model.Values[0].Chunk(20)];
        ImmutableArray<PrunableGroup> groups = PrunableGroups.Find(network).Groups;
        Assert.That(Score(UnitCriterion.L2, model, groups)[0], Is.EqualTo(rows.Select(r => Math.Sqrt(r.Sum(w => (double)w * w)))).Within(1e-6));
        Assert.That(Score(UnitCriterion.Fpgm, model, groups)[0], Is.EqualTo(rows.Select(a => rows.Sum(b => Math.Sqrt(a.Zip(b, (x, y) => Math.Pow(x - y, 2)).Sum())))).Within(1e-5));
    }

    [Test]
    public void A_unit_that_several_layers_make_has_the_mean_of_their_scores()
    {
        Network network = new NetworkBuilder("n", new Chw(2, 1, 1)).Convolution("a", 3, 1).BatchNorm("an").Relu("r").Residual("s", b => b.Convolution("b", 3, 1).BatchNorm("bn")).Linear("c", 2).Build();
        (TrainedNetwork model, ImmutableArray<PrunableGroup> groups) = Line(network, s_line);
        PrunableGroup shared = groups.Single();
        Assert.That(shared.Producers.Select(p => p.Name), Is.EqualTo(new[] { "a", "s.b" }));
        double[] own = [.. model.Values[shared.Producers[1].Weight.Index].Chunk(3).Select(row => row.Sum(w => Math.Abs((double)w)))];
        Assert.That(Score(UnitCriterion.L1, model, groups)[0], Is.EqualTo(own.Zip([3.0, 5, 9], (a, b) => (a + b) / 2)).Within(1e-9));
        BatchNormNode[] norms = [.. network.Nodes.OfType<BatchNormNode>()];
        Assert.That(Score(UnitCriterion.BnScale, model, groups)[0],
            Is.EqualTo(Enumerable.Range(0, 3).Select(u => norms.Average(n => Math.Abs((double)model.Values[n.Weight.Index][u])))).Within(1e-9));
    }

    /// <summary>The loss by how much of the unit its readers see, at all of it: central differences in the weights that read it.</summary>
    [TestCaseSource(typeof(DeviceCase), nameof(DeviceCase.All))]
    public void Taylor_equals_the_squared_change_of_the_loss_to_first_order(DeviceCase on)
    {
        var tiny = new TinyLoss();
        using Device device = on.Create();
        double[][] scores = Score(UnitCriterion.Taylor, tiny, device), perImage = Score(UnitCriterion.Taylor16, tiny, device);
        for (int g = 0; g < tiny.Groups.Length; g++)
        {
            PrunableGroup group = tiny.Groups[g];
            double[] images = [.. Enumerable.Range(0, group.Units).Select(u => Enumerable.Range(0, 16).Average(i => Math.Abs(Change(group, u, [i]))))];
            double norm = Math.Sqrt(images.Sum(v => v * v));
            for (int unit = 0; unit < group.Units; unit++)
            {
                double expected = Enumerable.Range(0, 2).Average(b => Math.Pow(Change(group, unit, [.. Enumerable.Range(8 * b, 8)]), 2));
                Assert.That(Math.Sqrt(scores[g][unit]), Is.EqualTo(Math.Sqrt(expected)).Within(2e-3 * Math.Sqrt(scores[g].Max())), $"{group.Name}, {unit}");
                Assert.That(perImage[g][unit], Is.EqualTo(images[unit] / norm).Within(5e-3), $"{group.Name}, {unit}, each image");
            }
        }

        double Change(PrunableGroup group, int unit, int[] images) => (tiny.Of(Read(group, unit, 1.02f), images) - tiny.Of(Read(group, unit, 0.98f), images)) / 0.04;

        ImmutableArray<float[]> Read(PrunableGroup group, int unit, float factor)
        {
            ImmutableArray<float[]> values = tiny.Model.Values;
            foreach (Parameter w in group.Consumers.Select(c => c.Weight))
                values = values.SetItem(w.Index, [.. values[w.Index].Select((v, i) => i / (w.Filter.Height * w.Filter.Width) % w.Filter.In == unit ? v * factor : v)]);
            return values;
        }
    }

    /// <summary>w_u' g and w_u' H w are derivatives of the loss by how large w_u, and all of w, are.</summary>
    [TestCaseSource(typeof(DeviceCase), nameof(DeviceCase.All))]
    public void Sosp_equals_the_change_of_the_loss_to_second_order(DeviceCase on)
    {
        var tiny = new TinyLoss();
        using Device device = on.Create();
        if (device.HasReducedPrecision) return;
        double[][] scores = Score(UnitCriterion.Sosp, tiny, device);
        HashSet<int> all = [.. tiny.Groups.SelectMany(g => g.Members).SelectMany(m => m.Parameters).Where(p => p.IsTrained).Select(p => p.Index)];
        const double step = 0.03;
        for (int g = 0; g < tiny.Groups.Length; g++)
            for (int unit = 0; unit < tiny.Groups[g].Units; unit++)
            {
                double first = (At(step, 0) - At(-step, 0)) / (2 * step), mixed = (At(step, step) - At(step, -step) - At(-step, step) + At(-step, -step)) / (4 * step * step);
                Assert.That(scores[g][unit], Is.EqualTo(Math.Abs(first) + Math.Abs(mixed) / 2).Within(0.01 * scores[g].Max()), $"{tiny.Groups[g].Name}, {unit}");

                double At(double own, double whole)
                {
                    HashSet<int> members = [.. tiny.Groups[g].Members.SelectMany(m => m.Parameters).Select(p => p.Index)];
                    return tiny.Of([.. tiny.Model.Values.Select((values, p) => !all.Contains(p) ? values
                        : values.Select((v, i) => (float)(v * (1 + whole + (members.Contains(p) && i / (values.Length / tiny.Groups[g].Units) == unit ? own : 0)))).ToArray())], [.. Enumerable.Range(0, 16)]);
                }
            }
    }

    [Test]
    public void The_rank_of_maps()
    {
        Assert.That(FeatureRank.Of([1, 2, 3, 2, 4, 6, 0, 0, 1], 3, 3), Is.EqualTo(2));
        Assert.That(FeatureRank.Of([0, 0, 0, 0], 2, 2), Is.Zero);
        Assert.That(FeatureRank.Of([0, 1, 1, 0], 2, 2), Is.EqualTo(2));
        Assert.That(FeatureRank.Of([1, 0, 0, 0, 1e-9f, 0], 2, 3), Is.EqualTo(1), "below the first's rounding");
        Assert.That(FeatureRank.Of([5], 1, 1), Is.EqualTo(1));
        // A sum of three products of vectors, in fp32.
        float[][] vectors = [.. Enumerable.Range(0, 6).Select(i => Values.Random((ulong)i, 8))];
        Assert.That(FeatureRank.Of([.. Enumerable.Range(0, 64).Select(i => vectors[0][i / 8] * vectors[1][i % 8] + vectors[2][i / 8] * vectors[3][i % 8] + vectors[4][i / 8] * vectors[5][i % 8])], 8, 8), Is.EqualTo(3));
    }

    /// <summary>Weights of a unit's filter alone decide its rank: one that sees nothing has a constant map.</summary>
    [Test]
    public void HRank_is_the_mean_rank_of_the_maps_that_are_read()
    {
        var tiny = new TinyLoss();
        Parameter first = tiny.Model.Network.Parameters[0], bias = tiny.Model.Network.Parameters.First(p => p.Kind == ParameterKind.NormBias);
        float[] weights = [.. tiny.Model.Values[0]], offsets = [.. tiny.Model.Values[bias.Index]];
        weights.AsSpan(first.Filter.FanIn, first.Filter.FanIn).Clear();
        offsets[1] = 50;
        using var device = new CpuDevice(1);
        TrainedNetwork model = tiny.Model with { Values = tiny.Model.Values.SetItem(0, weights).SetItem(bias.Index, offsets) };
        double[] scores = new UnitSelection { Criterion = UnitCriterion.HRank }.Score(model, [tiny.Groups[1]], tiny.Calibration(device))[0];
        Assert.That(scores, Is.All.InRange(1, 6).And.Some.GreaterThan(4));
        scores = new UnitSelection { Criterion = UnitCriterion.HRank }.Score(model, [tiny.Groups[0]], tiny.Calibration(device))[0];
        Assert.That(scores[1], Is.LessThan(scores.Where((_, u) => u != 1).Min()), "of rank 1 where the block reads it");
    }

    [Test]
    public void What_a_criterion_cannot_score_is_one_sentence()
    {
        ImmutableArray<PrunableGroup> groups = PrunableGroups.Find(NetworkZoo.Create("resnet20")).Groups;
        Assert.That(() => new UnitSelection().Validate(groups), Throws.TypeOf<UsageException>().With.Message
            .EqualTo("the criterion ispasp is for hidden units, and 4 layers make its units with conv1: take another criterion, or unit-scope hidden."));
        Assert.That(() => new UnitSelection { Criterion = UnitCriterion.BnScale }.Validate(PrunableGroups.Find(NetworkZoo.Create("conv4")).Groups), Throws.TypeOf<UsageException>().With.Message.Contains("no batch-norm behind 0"));
    }

    private static (TrainedNetwork, ImmutableArray<PrunableGroup>) Line(Network network, float[] first)
    {
        TrainedNetwork model = RandomNetworks.Weights(network, 0);
        return (model with { Values = model.Values.SetItem(0, first) }, PrunableGroups.Find(network).Groups);
    }

    private static double[][] Score(UnitCriterion by, TrainedNetwork model, ImmutableArray<PrunableGroup> groups) => new UnitSelection { Criterion = by }.Score(model, groups, null!);

    private static double[][] Score(UnitCriterion by, TinyLoss tiny, Device device) => new UnitSelection { Criterion = by }.Score(tiny.Model, tiny.Groups, tiny.Calibration(device));

    /// <summary>A network with a shared and a hidden group, without corners in its loss but for one activation, and the mean loss of images that scores see.</summary>
    private sealed class TinyLoss
    {
        private readonly Dataset _data;
        private readonly ScoringImages _images;

        public TinyLoss()
        {
            Network network = new NetworkBuilder("n", new Chw(3, 6, 6)).Convolution("a", 4, 3, padding: 1).BatchNorm("an").Silu("r")
                .Residual("s", b => b.Convolution("b", 5, 3, padding: 1).BatchNorm("bn").Silu("f").Convolution("c", 4, 1).BatchNorm("cn")).GlobalAveragePool("mean").Linear("d", 3).Build();
            Model = RandomNetworks.Weights(network, 0);
            Groups = PrunableGroups.Find(network).Groups;
            Assert.That(Groups.Select(g => (g.Name, g.Consumers.Length)), Is.EqualTo(new[] { ("a", 2), ("s.b", 1) }));
            _data = BlobDataset.Split(40, network.Input, 3).Train;
            _images = ScoringImages.Draw(_data, 16, 7);
        }

        public TrainedNetwork Model { get; }
        public ImmutableArray<PrunableGroup> Groups { get; }

        /// <summary>The first 16 images of the scores, in two batches.</summary>
        public Calibration Calibration(Device device) => new(_data, new ImageBatches(2, 8), 7, device, CancellationToken.None);

        /// <summary>With other values, of some of the images.</summary>
        public double Of(ImmutableArray<float[]> values, int[] images)
        {
            var batch = new Batch(16, _data.Shape);
            _images.Fill(batch, 0);
            float[] pixels = [.. batch.Pixels.Select((v, i) => (v / 255f - _data.Normalization.Mean[i / 36 % 3]) / _data.Normalization.Std[i / 36 % 3])];
            float[] logits = RandomNetworks.Logits(Model with { Values = values }, pixels, 16);
            return images.Average(n =>
            {
                double[] row = [.. logits.AsSpan(3 * n, 3).ToArray().Select(l => (double)l)];
                return Math.Log(row.Sum(Math.Exp)) - row[batch.Labels[n]];
            });
        }
    }
}
