using System.Collections.Immutable;
using Asni.Cpu;
using Asni.Data;
using Asni.Methods;
using Asni.Networks;
using Asni.Pruning;
using Asni.Pruning.Units;
using Asni.Tensors;
using Asni.Tests.Devices;
using Asni.Tests.Methods;

namespace Asni.Tests.Pruning.Units;

/// <summary>How many units are not redundant by their gradients.</summary>
public class GradientRankTests
{
    [Test]
    public void The_rank_of_rows_by_their_products()
    {
        Assert.That(Rank([1, 0, 0], [0, 1, 0], [0, 0, 1]), Is.EqualTo(3));
        Assert.That(Rank([1, 2, 3], [2, 4, 6], [0, 0, 3]), Is.EqualTo(2), "one is twice another");
        Assert.That(Rank([1, 0, 0], [0, 1, 0], [1, 1, 0]), Is.EqualTo(2), "the sum of the others");
        Assert.That(Rank([0, 0], [3, 4]), Is.EqualTo(1));
        Assert.That(Rank([0, 0], [0, 0]), Is.EqualTo(1), "one unit stays");
        Assert.That(Rank([10, 0], [0, 1]), Is.EqualTo(1), "1 of 101 is less than 1 %");
        Assert.That(Rank([9, 0], [0, 1]), Is.EqualTo(2));
        foreach (double number in (double[])[double.NaN, double.PositiveInfinity]) Assert.That(() => Rank([1, number], [0, 1]), Throws.TypeOf<DivergenceException>());
        float[][] wide = [.. Enumerable.Range(0, 12).Select(i => Values.Random((ulong)i + 3, 5))];
        Assert.That(Rank([.. wide.Select(row => row.Select(v => (double)v).ToArray())]), Is.LessThanOrEqualTo(5));
    }

    /// <summary>Units that see the same, are read alike and start alike have the same gradient.</summary>
    [Test]
    public void A_layer_with_a_duplicated_filter_has_one_less()
    {
        Network network = new NetworkBuilder("n", MethodTests.Data.Train.Shape).Linear("a", 5).Relu("r").Linear("b", MethodTests.Data.Train.Classes).Build();
        TrainedNetwork model = MethodRunner.CreateInitialWeights(network, 3);
        ImmutableArray<PrunableGroup> groups = PrunableGroups.Find(network).Groups;
        using var device = new CpuDevice(1);
        var calibration = new Calibration(MethodTests.Data.Train, new ImageBatches(8, 16), 1, device, default);
        int before = GradientRank.Measure(model, groups, calibration).Single();
        float[] filters = [.. model.Values[0]], readers = [.. model.Values[2]];
        filters.AsSpan(0, 36).CopyTo(filters.AsSpan(36));
        for (int c = 0; c < network.Classes; c++) readers[c * 5 + 1] = readers[c * 5];
        int after = GradientRank.Measure(model with { Values = model.Values.SetItem(0, filters).SetItem(2, readers) }, groups, calibration).Single();
        Assert.That((before, after), Is.EqualTo((5, 4)));
    }

    [Test]
    public void Groups_keep_their_floor_and_the_others_make_up_for_it()
    {
        Network network = new NetworkBuilder("n", new Chw(6, 1, 1)).Linear("a", 10).Relu("r").Linear("b", 10).Relu("s").Linear("c", 2).Build();
        double[] scores = [.. Enumerable.Range(1, 10).Select(v => (double)v)];
        Assert.That(Left(UnitAllocation.Uniform, 0.5), Is.EqualTo(new[] { 8, 5 }), "a ratio is each group's");
        Assert.That(Left(UnitAllocation.Pooled, 0.5), Is.EqualTo(new[] { 8, 2 }));
        Assert.That(Left(UnitAllocation.Pooled, 0.4), Is.EqualTo(new[] { 8, 1 }), "more than the ratio");

        int[] Left(UnitAllocation by, double ratio) => new UnitCounts(new UnitTarget { Ratio = ratio, Allocation = by }, network, ["a", "b"]).Kept(network, () => [scores, scores], floors: [8, 1]);
    }

    [Test]
    public void A_run_keeps_it()
    {
        var method = new StructuredPruning { Floor = UnitFloor.Gradients, Target = new UnitTarget { Ratio = 0.1 }, Selection = new UnitSelection { Criterion = UnitCriterion.L1, Calibration = new ImageBatches(8, 16) }, Finetuning = new UnitFinetuning { Epochs = 0 } };
        TrainedNetwork dense = MethodTests.Run(new DenseTraining()).Result.Phases[0].Model;
        int[] without = Units(method with { Floor = UnitFloor.None }), with = Units(method);
        Assert.That(without, Is.EqualTo(new[] { 4, 2 }));
        Assert.That(with.Zip(without).Select(p => p.First >= p.Second), Is.All.True);
        Assert.That(with.Sum(), Is.GreaterThan(6));

        int[] Units(Method m) => [.. PrunableGroups.Find(MethodTests.Run(m, dense).Result.Phases[^1].Model.Network).Groups.Select(g => g.Units)];
    }

    private static int Rank(params double[][] rows) => GradientRank.Of([.. from a in rows from b in rows select a.Zip(b, (x, y) => x * y).Sum()], rows.Length);
}
