using System.Collections.Immutable;
using Asni.Cpu;
using Asni.Data;
using Asni.Methods;
using Asni.Networks;
using Asni.Pruning;
using Asni.Pruning.Units;
using Asni.Tensors;
using Asni.Tests.Methods;

namespace Asni.Tests.Pruning.Units;

/// <summary>Units shared out by what taking them out does to the loss.</summary>
public class ImpairmentTests
{
    private static readonly Network s_network = new NetworkBuilder("n", new Chw(6, 1, 1)).Linear("a", 4).Relu("r").Linear("b", 4).Relu("s").Linear("c", 4).Relu("t").Linear("d", 2).Build();

    [Test]
    public void Levels_are_tenths_of_a_group_and_leave_what_it_needs()
    {
        ImmutableArray<PrunableGroup> groups = PrunableGroups.Find(s_network).Groups;
        Assert.That(Impairment.RemovedAt(groups[0]), Is.EqualTo(new[] { 0, 1, 2, 3 }));
        PrunableGroup wide = PrunableGroups.Find(NetworkZoo.Create("mlp300")).Groups[0];
        Assert.That(Impairment.RemovedAt(wide), Is.EqualTo(Enumerable.Range(0, 10).Select(k => 30 * k).Append(299)));
    }

    /// <summary>Where groups impair independently, what is left wherever a group has just gone on has the least sum of losses of all choices that save as much.</summary>
    [TestCase(1UL)]
    [TestCase(2UL)]
    [TestCase(3UL)]
    [TestCase(4UL)]
    public void It_equals_brute_force_on_3_groups_of_4(ulong seed)
    {
        ImmutableArray<PrunableGroup> groups = PrunableGroups.Find(s_network).Groups;
        var random = SplitMix64.Fork(seed);
        double[][] losses = [.. groups.Select(_ => Enumerable.Range(0, 4).Select(level => level == 0 ? 1 : 1 + random.NextDouble()).ToArray())];
        double[] saving = [3, 1, 2];
        int[] order = [.. Impairment.Order(groups, losses, saving)];
        Assert.That(order.GroupBy(g => g).Select(g => (g.Key, g.Count())).Order(), Is.EqualTo(new[] { (0, 3), (1, 3), (2, 3) }));
        for (int removals = 0; removals <= order.Length; removals++)
        {
            if (removals > 0 && removals < order.Length && order[removals] == order[removals - 1]) continue;
            int[] left = [.. Enumerable.Range(0, 3).Select(g => order.Take(removals).Count(o => o == g))];
            double saved = Saved(left);
            Assert.That(Impaired(left), Is.EqualTo(All().Where(c => Saved(c) >= saved).Min(Impaired)).Within(1e-12), $"{removals} removals");
        }

        double Saved(int[] removed) => removed.Zip(saving, (r, s) => r * s).Sum();

        double Impaired(int[] removed) => removed.Select((r, g) => losses[g][r] - losses[g][0]).Sum();

        IEnumerable<int[]> All() => from a in Enumerable.Range(0, 4) from b in Enumerable.Range(0, 4) from c in Enumerable.Range(0, 4) select (int[])[a, b, c];
    }

    /// <summary>Where a group has no loss, its units are not the first to go.</summary>
    [Test]
    public void Counts_are_reached_down_to_one_unit_in_each_group()
    {
        ImmutableArray<PrunableGroup> groups = PrunableGroups.Find(s_network).Groups;
        double[][] losses = [[1, 1.1, 1.2, 1.3], [1, 5, 6, 9], [1, 1e30, 1e30, 1e30]];
        Assert.That(Left(0.75), Is.EqualTo(new[] { 1, 4, 4 }));
        Assert.That(Left(0.5), Is.EqualTo(new[] { 1, 1, 4 }));
        Assert.That(Left(0.25), Is.EqualTo(new[] { 1, 1, 1 }));

        int[] Left(double ratio) => new UnitCounts(new UnitTarget { Ratio = ratio, Allocation = UnitAllocation.Impairment }, s_network, [.. groups.Select(g => g.Name)]).Kept(s_network, () => losses);
    }

    [Test]
    public void A_network_is_pruned_by_it_in_rounds()
    {
        var method = new StructuredPruning { Rounds = 2, Target = new UnitTarget { Ratio = 0.1, Allocation = UnitAllocation.Impairment }, Finetuning = new UnitFinetuning { Epochs = 1 } };
        PhaseResult[] phases = [.. MethodTests.Run(method).Result.Phases];
        Assert.That(phases.Select(p => PrunableGroups.Find(p.Model.Network).Groups.Sum(g => g.Units)), Is.EqualTo(new[] { 60, 33, 6 }));
    }

    /// <summary>The second group's units are read by nothing: without them the loss is what it was.</summary>
    [Test]
    public void A_group_that_is_not_needed_goes_first()
    {
        DatasetSplit data = MethodTests.Data;
        using var device = new CpuDevice(1);
        Network network = new NetworkBuilder("n", data.Train.Shape).Linear("a", 10).Relu("r").Linear("b", 10).Relu("s").Linear("c", data.Train.Classes).Build();
        TrainedNetwork model = MethodRunner.CreateInitialWeights(network, 3);
        Parameter last = network.Weights.Last();
        float[] unread = [.. model.Values[last.Index]];
        for (int i = 0; i < unread.Length; i++)
            if (i % 10 < 7) unread[i] = 0;
        model = model with { Values = model.Values.SetItem(last.Index, unread) };
        ImmutableArray<PrunableGroup> groups = PrunableGroups.Find(network).Groups;
        double[] needed = [.. Enumerable.Range(0, 10).Select(u => u < 7 ? 0.0 : 1)];
        var calibration = new Calibration(data.Train, new ImageBatches(2, 16), 1, device, default);
        double[][] losses = Impairment.Measure(model, groups, [needed, needed], calibration);
        Assert.That(losses.Select(l => l[0]), Is.All.EqualTo(calibration.Loss(model)));
        Assert.That(losses[1][..8], Is.All.EqualTo(losses[1][0]).Within(1e-6));
        Assert.That(losses[0][..8].Distinct().Count(), Is.EqualTo(8));
        Assert.That(Impairment.Order(groups, [[.. losses[1].Select(_ => 9.0).Select((l, i) => l + i)], losses[1]], [1, 1]).Take(7), Is.All.EqualTo(1));
    }
}
