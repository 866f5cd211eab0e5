using System.Collections.Immutable;
using Asni.Networks;
using Asni.Networks.Rewriting;
using Asni.Pruning.Units;
using Asni.Tensors;
using Asni.Tests.Formats;

namespace Asni.Tests.Pruning.Units;

/// <summary>How many units of each group stay.</summary>
public class UnitCountTests
{
    [Test]
    public void A_budget_holds_and_one_unit_more_would_break_it([Values("lenet300", "resnet20", "mobilenet_v2", "vgg11")] string name, [Values] UnitAllocation allocation, [Values] bool parameters)
    {
        Network network = NetworkZoo.Create(name);
        var target = new UnitTarget { Budget = new(parameters ? UnitCost.Params : UnitCost.Macs, 0.4), Allocation = allocation };
        (ImmutableArray<PrunableGroup> groups, int[] kept) = Kept(network, target);
        Assert.That(Enumerable.Range(0, kept.Length), Is.All.Matches<int>(g => kept[g] >= groups[g].Least && kept[g] <= groups[g].Units));
        long budget = (long)(0.4 * Cost(network)), cost = Cost(Narrow(kept));
        Assert.That(cost, Is.LessThanOrEqualTo(budget));
        Assert.That(Enumerable.Range(0, kept.Length).Where(g => kept[g] < groups[g].Units).Max(g => Cost(Narrow([.. kept.Select((k, i) => i == g ? k + 1 : k)]))), Is.GreaterThan(budget));
        double[] shares = [.. kept.Select((k, g) => (double)k / groups[g].Units)];
        if (allocation == UnitAllocation.Uniform) Assert.That(shares.Max() - shares.Min(), Is.LessThan(1.0 / groups.Min(g => g.Units) + 1e-9));
        else Assert.That(shares.Max() - shares.Min(), Is.GreaterThan(0.05), "the scores decide");

        Network Narrow(int[] units) => NarrowNetwork.Create(network, groups.Zip(units).ToDictionary(g => g.First.Name, g => g.Second));
        long Cost(Network n) => NetworkAnalysis.Analyze(n) is var a && parameters ? a.Parameters : a.Macs;
    }

    /// <summary>A time that is one part fixed, one part by multiply-accumulates.</summary>
    [Test]
    public void A_budget_of_time_holds_by_what_is_measured()
    {
        Network network = NetworkZoo.Create("resnet20");
        ImmutableArray<string> names = [.. PrunableGroups.Find(network).Groups.Select(g => g.Name)];
        int measured = 0;
        double whole = Time(network);
        foreach (double share in new[] { 0.8, 0.4 })
        {
            int[] kept = new UnitCounts(new UnitTarget { Budget = new(UnitCost.Latency, share) }, network, names, Time).Kept(network, () => []);
            Assert.That(Time(NarrowNetwork.Create(network, names.Zip(kept).ToDictionary(n => n.First, n => n.Second))) / whole, Is.InRange(share - 0.02, share));
        }
        Assert.That(measured, Is.LessThan(30), "by halves");
        Assert.That(() => new UnitCounts(new UnitTarget { Budget = new(UnitCost.Latency, 0.1) }, network, names, Time).Kept(network, () => []), Throws.TypeOf<UsageException>().With.Message.Contains("of its time for an image"));

        double Time(Network n)
        {
            measured++;
            return 1e-3 + 1e-10 * NetworkAnalysis.Analyze(n).Macs;
        }
    }

    [Test]
    public void Latency_is_measured_on_a_device()
    {
        using var device = new Asni.Cpu.CpuDevice(1);
        double small = Latency.Measure(NetworkZoo.Create("mlp300[1=4]"), device), large = Latency.Measure(NetworkZoo.Create("conv6"), device);
        Assert.That(small, Is.GreaterThan(0).And.LessThan(large));
    }

    [Test]
    public void A_multiple_is_kept_or_all()
    {
        (ImmutableArray<PrunableGroup> groups, int[] kept) = Kept(NetworkZoo.Create("mobilenet_v2"), new UnitTarget { Budget = new(UnitCost.Macs, 0.6), Multiple = 8, Allocation = UnitAllocation.Pooled });
        Assert.That(Enumerable.Range(0, kept.Length), Is.All.Matches<int>(g => kept[g] % 8 == 0 || kept[g] == groups[g].Units));
        Assert.That(kept, Is.Not.EqualTo(groups.Select(g => g.Units)));
        Assert.That(Kept(NetworkZoo.Create("lenet300"), new UnitTarget { Ratio = 0.3, Multiple = 8 }).Kept, Is.EqualTo(new[] { 88, 32 }), "90 and 30");
    }

    [Test]
    public void Rounds_take_an_equal_share_each_and_end_where_one_would()
    {
        Network network = NetworkZoo.Create("resnet20");
        var target = new UnitTarget { Budget = new(UnitCost.Macs, 0.4) };
        ImmutableArray<string> names = [.. PrunableGroups.Find(network).Groups.Select(g => g.Name)];
        Network current = network;
        foreach ((double progress, double share) in new[] { (1 / 3.0, 0.8), (2 / 3.0, 0.6), (1, 0.4) })
        {
            int[] kept = new UnitCounts(target, network, names).Kept(current, () => [], progress);
            current = NarrowNetwork.Create(current, names.Zip(kept).ToDictionary(g => g.First, g => g.Second));
            Assert.That((double)NetworkAnalysis.Analyze(current).Macs / NetworkAnalysis.Analyze(network).Macs, Is.InRange(share - 0.03, share));
        }
        int[] halves = new UnitCounts(new UnitTarget { Ratio = 0.5 }, network, names).Kept(network, () => [], 0.5);
        Assert.That(halves.Take(3), Is.EqualTo(new[] { 12, 12, 12 }), "of 16");
    }

    /// <summary>Scores over their group's mean: 0.2, 1.8 and 0.5, 1.5, then by cost.</summary>
    [Test]
    public void Pooled_scores_are_compared_over_their_groups_means()
    {
        Network network = new NetworkBuilder("n", new Chw(10, 1, 1)).Linear("a", 2).Relu("r").Linear("b", 4).Relu("s").Linear("c", 2).Build();
        double[][] scores = [[20, 180], [0.5, 1.5, 0.6, 1.4]];
        Assert.That(Left(UnitAllocation.Pooled, 5.0 / 6), Is.EqualTo(new[] { 1, 4 }));
        Assert.That(Left(UnitAllocation.Pooled, 3.0 / 6), Is.EqualTo(new[] { 1, 2 }));
        // A unit of a saves 10 + 4 of 36 products, one of b 2 + 2: 0.2 / 14 is still the least, then b's.
        Assert.That(Left(UnitAllocation.PerCost, 5.0 / 6), Is.EqualTo(new[] { 1, 4 }));
        Assert.That(Left(UnitAllocation.Raw, 5.0 / 6), Is.EqualTo(new[] { 2, 3 }), "as they are");
        scores = [[0.9, 1.1], [0.5, 1.5, 0.6, 1.4]];
        Assert.That(Left(UnitAllocation.Pooled, 5.0 / 6), Is.EqualTo(new[] { 2, 3 }));
        Assert.That(Left(UnitAllocation.PerCost, 5.0 / 6), Is.EqualTo(new[] { 1, 4 }), "0.9 / 14 against 0.5 / 4");

        int[] Left(UnitAllocation by, double ratio) => new UnitCounts(new UnitTarget { Ratio = ratio, Allocation = by }, network, ["a", "b"]).Kept(network, () => scores);
    }

    [Test]
    public void A_budget_that_cannot_be_met_is_one_sentence()
    {
        Network network = NetworkZoo.Create("lenet300");
        Assert.That(() => new UnitCounts(new UnitTarget { Budget = new(UnitCost.Macs, 0.001) }, network, ["1", "3"]).Validate(), Throws.TypeOf<UsageException>().With.Message
            .EqualTo("lenet300 cannot keep as little as 0.1000 % of its multiply-accumulates: with the fewest units in each group that can lose some it has 0.2986 % of them."));
        Assert.That(() => new UnitCounts(new UnitTarget { Ratio = 0.001, Allocation = UnitAllocation.Pooled }, network, ["1", "3"]).Validate(), Throws.TypeOf<UsageException>().With.Message
            .EqualTo("lenet300 cannot keep as little as 0.1000 % of its units: with the fewest units in each group that can lose some it has 0.5000 % of them."));
    }

    [Test]
    public void Ratios_are_for_groups_by_any_of_their_layers()
    {
        Network network = NetworkZoo.Create("resnet20");
        ImmutableArray<PrunableGroup> groups = PrunableGroups.Find(network).Groups;
        Assert.That(Taken(("layer1", 1)), Has.None.EqualTo("conv1").And.None.StartsWith("layer1").And.Some.EqualTo("layer2.0.conv2"), "the first stream is layer1's too");
        Assert.That(Taken(("layer1", 1), ("layer1.0.conv1", 0.3)), Has.Some.EqualTo("layer1.0.conv1").And.None.EqualTo("layer1.1.conv1"), "the longest counts");
        Assert.That(new UnitTarget { Ratios = Ratios(("layer2.1.conv2", 0.25)) }.Kept(groups.Single(g => g.Name == "layer2.0.conv2"), 32), Is.EqualTo(8));
        Assert.That(() => Taken(("layer2.1.conv2", 0.25), ("layer2.2.conv2", 0.5)), Throws.TypeOf<UsageException>().With.Message.Contains("are for layers that share their units, and differ"));
        Assert.That(() => Taken(("layer9", 0.5)), Throws.TypeOf<UsageException>().With.Message.Contains("no layer of resnet20 whose units can be taken out begins so"));
        Assert.That(() => new UnitTarget { Budget = new(UnitCost.Macs, 0.5), Ratios = Ratios(("layer1", 0.5)) }.Of(network, groups, groups), Throws.TypeOf<UsageException>().With.Message.Contains("so does the budget macs=0.5 for all"));

        string[] Taken(params (string, double)[] ratios) => [.. new UnitTarget { Ratios = Ratios(ratios) }.Of(network, groups, groups).Select(g => g.Name)];
        static Dictionary<string, double> Ratios(params (string Name, double Ratio)[] ratios) => ratios.ToDictionary(r => r.Name, r => r.Ratio);
    }

    /// <summary>With one channel it would be another convolution, and its group two.</summary>
    [Test]
    public void A_depthwise_convolution_keeps_two_channels()
    {
        Network network = NetworkZoo.Create("mobilenet_v2", new Chw(3, 32, 32), 5);
        ImmutableArray<PrunableGroup> groups = PrunableGroups.Find(network).Groups;
        ImmutableArray<string> names = [.. groups.Select(g => g.Name)];
        int[] kept = new UnitCounts(new UnitTarget { Ratio = 0.001 }, network, names).Kept(network, () => []);
        Assert.That(kept, Is.EqualTo(groups.Select(g => g.Members.OfType<ConvolutionNode>().Any(c => c.IsDepthwise) ? 2 : 1)).And.Some.EqualTo(2));
        Network small = NarrowNetwork.Create(network, names.Zip(kept).ToDictionary(n => n.First, n => n.Second));
        Assert.That(PrunableGroups.Find(small).Groups.Select(g => g.Name), Is.EqualTo(names), "they are the same groups");
        Assert.That(() => NetworkZoo.Create("mobilenet_v2[features.2.conv.0.0=1]"), Throws.TypeOf<UsageException>().With.Message.Contains("the depthwise convolution behind it needs 2"));
    }

    private static (ImmutableArray<PrunableGroup> Groups, int[] Kept) Kept(Network network, UnitTarget target)
    {
        ImmutableArray<PrunableGroup> groups = PrunableGroups.Find(network).Groups;
        double[][] scores = new UnitSelection { Criterion = UnitCriterion.L1 }.Score(RandomNetworks.Weights(network, 0), groups, null!);
        // As after training: some groups hold on to all of theirs, others to few.
        for (int g = 0; g < scores.Length; g++)
            for (int u = 0; u < scores[g].Length; u++) scores[g][u] *= g % 2 == 0 ? 1 : Math.Exp(-4.0 * u / scores[g].Length);
        return (groups, new UnitCounts(target, network, [.. groups.Select(g => g.Name)]).Kept(network, () => scores));
    }
}
