using System.Collections.Immutable;
using Asni.Cpu;
using Asni.Data;
using Asni.Devices;
using Asni.Engine;
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
        Assert.That(Kept(UnitCriterion.L1, model, groups, 2), Is.EqualTo(new[] { 1, 2 }));
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
        Network network = new NetworkBuilder("n", new Chw(3, 6, 6)).Convolution("a", 4, 3, padding: 1).BatchNorm("an").Relu("r")
            .Residual("s", b => b.Convolution("b", 5, 3, padding: 1).BatchNorm("bn").Silu("f").Convolution("c", 4, 1).BatchNorm("cn")).GlobalAveragePool("mean").Linear("d", 3).Build();
        TrainedNetwork model = RandomNetworks.Weights(network, 0);
        Dataset data = BlobDataset.Split(40, network.Input, 3).Train;
        using Device device = on.Create();
        var calibration = new Calibration(data, 2, 8, 7, device, CancellationToken.None);
        ImmutableArray<PrunableGroup> groups = PrunableGroups.Find(network).Groups;
        Assert.That(groups.Select(g => (g.Name, g.Consumers.Length)), Is.EqualTo(new[] { ("a", 2), ("s.b", 1) }));
        double[][] scores = new UnitSelection { Criterion = UnitCriterion.Taylor }.Score(model, groups, calibration);
        ScoringImages images = ScoringImages.Draw(data, 16, 7);
        for (int g = 0; g < groups.Length; g++)
            for (int unit = 0; unit < groups[g].Units; unit++)
            {
                double expected = Enumerable.Range(0, 2).Average(b => Math.Pow((Loss(groups[g], unit, b, 1.02f) - Loss(groups[g], unit, b, 0.98f)) / 0.04, 2));
                Assert.That(Math.Sqrt(scores[g][unit]), Is.EqualTo(Math.Sqrt(expected)).Within(2e-3 * Math.Sqrt(scores[g].Max())), $"{groups[g].Name}, {unit}");
            }

        double Loss(PrunableGroup group, int unit, int batch, float factor)
        {
            ImmutableArray<float[]> values = model.Values;
            foreach (Parameter w in group.Consumers.Select(c => c.Weight))
                values = values.SetItem(w.Index, [.. values[w.Index].Select((v, i) => i / (w.Filter.Height * w.Filter.Width) % w.Filter.In == unit ? v * factor : v)]);
            var loaded = new Batch(8, data.Shape);
            images.Fill(loaded, 8 * batch);
            float[] pixels = [.. loaded.Pixels.Select((v, i) => (v / 255f - data.Normalization.Mean[i / 36 % 3]) / data.Normalization.Std[i / 36 % 3])];
            float[] logits = RandomNetworks.Logits(model with { Values = values }, pixels, 8);
            return Enumerable.Range(0, 8).Average(n =>
            {
                double[] row = [.. logits.AsSpan(3 * n, 3).ToArray().Select(l => (double)l)];
                return Math.Log(row.Sum(Math.Exp)) - row[loaded.Labels[n]];
            });
        }
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

    private static int[] Kept(UnitCriterion by, TrainedNetwork model, ImmutableArray<PrunableGroup> groups, int keep) => [.. new UnitSelection { Criterion = by }.Select(model, groups, [keep], null!)[groups[0].Name]];
}
