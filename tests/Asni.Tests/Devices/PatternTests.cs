using System.Collections.Immutable;
using Asni.Devices;
using Asni.Engine;
using Asni.Networks;
using Asni.Pruning;
using Asni.Tests.Engine;
using Asni.Tests.Reference;

namespace Asni.Tests.Devices;

[TestFixtureSource(typeof(DeviceCase), nameof(DeviceCase.All))]
public class PatternTests(DeviceCase device) : DeviceTests
{
    /// <summary>Convolutions of 3 and 8 inputs, 2x2 and 3x3 kernels, two linear layers.</summary>
    private static readonly Network s_network = SmallNetworks.Create("biases and no norm");

    private readonly List<TrainingNote> _notes = [];

    [SetUp]
    public void Forget() => _notes.Clear();

    [Test]
    public void Two_of_four_stay_and_equal_ones_go_by_index()
    {
        using Workbench bench = device.Open();
        Model model = bench.Own(new Model(TinyNetworks.Linear(8, 1, 3), bench.Device));
        model.Parameters.Upload(0, ParameterSlot.Value, [.3f, -.1f, .05f, -.4f, .2f, .2f, .1f, -.2f]);
        model.Parameters.Upload(2, ParameterSlot.Value, [.1f, .2f, .3f]);
        PruneOutcome outcome = Prune(model, new GroupPattern(2, 4), 0.5);
        Assert.That(Workbench.Read(model.Parameters, 0, ParameterSlot.Value), Is.EqualTo(new[] { .3f, 0, 0, -.4f, .2f, .2f, 0, 0 }));
        Assert.That((outcome.Kept, outcome.Threshold), Is.EqualTo((7L, (double?)0.2f)), "the last linear layer stays");
        Assert.That(_notes.Select(n => n.Text), Is.EqualTo(new[] { "the pattern 2:4 leaves dense: fc2.weight (the last linear layer)." }));
    }

    /// <summary>Three outputs of three inputs in cells of 2x2: of 4, 2, 2 and 1 weights, means .25, .7, .6 and .2. The second layer's: .65 of 2 and .01 of 1.</summary>
    [TestCase(12, 12, null)]
    [TestCase(10, 10, 0.25)]
    [TestCase(9, 6, 0.6, Description = "the next cell has 4")]
    [TestCase(6, 6, 0.6)]
    [TestCase(5, 4, 0.65)]
    [TestCase(3, 2, 0.7)]
    [TestCase(1, 0, null)]
    public void The_best_cells_stay_that_have_no_more_than_K_weights(int keep, int kept, double? cut)
    {
        float[] first = [.1f, -.2f, .9f, .3f, .4f, -.5f, .6f, .6f, .2f], second = [.65f, -.65f, .01f];
        (float Mean, int[] First, int[] Second)[] cells = [(.7f, [2, 5], []), (.65f, [], [0, 1]), (.6f, [6, 7], []), (.25f, [0, 1, 3, 4], []), (.2f, [8], []), (.01f, [], [2])];
        using Workbench bench = device.Open();
        Model model = bench.Own(new Model(TinyNetworks.Linear(3, 3, 1), bench.Device));
        model.Parameters.Upload(0, ParameterSlot.Value, first);
        model.Parameters.Upload(2, ParameterSlot.Value, second);
        PruneOutcome outcome = Prune(model, new BlockPattern(2, 2), 1 - keep / 12.0);
        Assert.That((outcome.Kept, outcome.Threshold is { } t ? Math.Round(t, 6) : (double?)null), Is.EqualTo(((long)kept, cut)));
        var live = cells.TakeWhile(c => cut is { } least ? c.Mean >= (float)least - 1e-4 : kept > 0).ToList();
        Assert.That(Workbench.Read(model.Parameters, 0, ParameterSlot.Value), Is.EqualTo(first.Select((v, i) => live.Any(c => c.First.Contains(i)) ? v : 0)));
        Assert.That(Workbench.Read(model.Parameters, 2, ParameterSlot.Value), Is.EqualTo(second.Select((v, i) => live.Any(c => c.Second.Contains(i)) ? v : 0)));
    }

    /// <summary>Along the channels of a convolution, at each place of its kernel.</summary>
    [Test]
    public void Every_group_has_exactly_N_the_largest([Values(1, 2, 3)] int n, [Values] ScoreKind score)
    {
        using Workbench bench = device.Open(), reference = DeviceCase.OpenReference();
        (Model model, Model same) = (Filled(bench), Filled(reference));
        float[][] before = [.. s_network.Weights.Select(p => Workbench.Read(model.Parameters, p.Index, ParameterSlot.Value))];
        var parts = new PruningParts { Pattern = new GroupPattern(n, 4), Score = score };
        foreach (Model m in (Model[])[model, same]) parts.CreatePruner(m, seed: 4).PruneTo(parts.Target(0.9), _notes.Add);
        int place = 0;
        foreach (Parameter p in s_network.Weights)
        {
            float[] were = before[place++];
            Assert.That(Workbench.MaskOf(model.Parameters, p.Index).Words.ToArray(), Is.EqualTo(Workbench.MaskOf(same.Parameters, p.Index).Words.ToArray()), p.Name);
            bool grouped = p.Name is not "conv1.weight" and not "fc2.weight" && p.Shape[1] % 4 == 0;
            if (!grouped)
            {
                Assert.That(model.Parameters.GetMask(p.Index), Is.Null, p.Name);
                continue;
            }
            var mask = model.Parameters.GetMask(p.Index)!;
            int inputs = p.Shape[1], taps = (int)(p.Elements / p.Shape[0] / inputs);
            var groups = Enumerable.Range(0, (int)p.Elements).GroupBy(i => (Output: i / (inputs * taps), Group: i / taps % inputs / 4, Tap: i % taps));
            foreach (var group in groups)
            {
                Assert.That(group.Count(i => mask[i]), Is.EqualTo(n), $"{p.Name} {group.Key}");
                if (score == ScoreKind.Magnitude)
                    Assert.That(group.Where(i => mask[i]), Is.EquivalentTo(group.OrderByDescending(i => Math.Abs(were[i])).Take(n)), $"{p.Name} {group.Key}");
            }
        }
        Assert.That(_notes[0].Text, Does.StartWith($"the pattern {n}:4 leaves dense: conv1.weight (3 inputs), ").And.Contain("fc2.weight (the last linear layer)"));
        Assert.That(1 - (double)s_network.Weights.Sum(p => model.Parameters.Live(p.Index)) / s_network.WeightCount,
            Is.EqualTo(parts.Pattern.Reached(parts.Target(0.9), s_network)).Within(1e-12));
    }

    /// <summary>In cells of one weight they are one selection, computed in two ways; and whole cells live or not.</summary>
    [Test]
    public void Cells_of_one_weight_are_weights_and_others_live_as_a_whole([Values] ScoreKind score, [Values(AllocationKind.Pooled, AllocationKind.Uniform, AllocationKind.Erk)] AllocationKind allocation)
    {
        ulong[][] Masks(Workbench bench, WeightPattern pattern)
        {
            using Workbench _ = bench;
            Model model = Filled(bench);
            Pruner pruner = new PruningParts { Score = score, Allocation = allocation, Pattern = pattern }.CreatePruner(model, seed: 4);
            pruner.PruneTo(0.5, _notes.Add);
            ImmutableArray<Asni.Tensors.Mask?> preview = pruner.Preview(0.8);
            pruner.Mark(0.8);
            foreach (Parameter p in s_network.Weights)
                Assert.That(Workbench.Read(model.Parameters, p.Index, ParameterSlot.Gate), Is.EqualTo(Enumerable.Range(0, (int)p.Elements).Select(i => preview[p.Index]![i] ? 1f : 0f)), p.Name);
            PruneOutcome outcome = pruner.PruneTo(0.8, _notes.Add);
            ulong[][] masks = [.. s_network.Weights.Select(p => Workbench.MaskOf(model.Parameters, p.Index).Words.ToArray())];
            Assert.That(s_network.Weights.Select(p => preview[p.Index]!.Words.ToArray()), Is.EqualTo(masks));
            long most = Quota.At(0.8, s_network.WeightCount), cell = pattern is BlockPattern blocks ? blocks.Outputs * blocks.Inputs : 1;
            Assert.That(outcome.Kept, Is.InRange(most - (cell - 1) * (allocation == AllocationKind.Pooled ? 1 : s_network.Weights.Count()), most));
            return masks;
        }
        Assert.That(Masks(device.Open(), new BlockPattern(1, 1)), Is.EqualTo(Masks(device.Open(), WeightPattern.Weight)));
        Assert.That(Masks(device.Open(), new BlockPattern(4, 2)), Is.EqualTo(Masks(DeviceCase.OpenReference(), new BlockPattern(4, 2))));
        using Workbench bench = device.Open();
        Model model = Filled(bench);
        new PruningParts { Score = score, Allocation = allocation, Pattern = new BlockPattern(4, 2) }.CreatePruner(model, seed: 4).PruneTo(0.8, _notes.Add);
        foreach (Parameter p in s_network.Weights)
        {
            var mask = Workbench.MaskOf(model.Parameters, p.Index);
            int inputs = p.Shape[1], taps = (int)(p.Elements / p.Shape[0] / inputs);
            foreach (var cell in Enumerable.Range(0, (int)p.Elements).GroupBy(i => (i / (inputs * taps) / 4, i / taps % inputs / 2, i % taps)))
                Assert.That(cell.Select(i => mask[i]).Distinct().Count(), Is.EqualTo(1), $"{p.Name} {cell.Key}");
        }
    }

    [Test]
    public void Weights_that_cannot_be_ranked_are_told([Values("2:4", "block4x1")] string pattern)
    {
        using Workbench bench = device.Open();
        Model model = Filled(bench);
        Parameter p = s_network.Weights.ElementAt(1);
        float[] values = Workbench.Read(model.Parameters, p.Index, ParameterSlot.Value);
        values[7] = float.NaN;
        model.Parameters.Upload(p.Index, ParameterSlot.Value, values);
        Assert.That(() => Prune(model, WeightPattern.Parse(pattern), 0.5), Throws.TypeOf<DivergenceException>().With.Message.Contains(p.Name + " has NaN"));
    }

    private PruneOutcome Prune(Model model, WeightPattern pattern, double sparsity) => new PruningParts { Pattern = pattern }.CreatePruner(model, seed: 0).PruneTo(sparsity, _notes.Add);

    private static Model Filled(Workbench bench)
    {
        var model = bench.Own(new Model(s_network, bench.Device));
        foreach (Parameter p in s_network.Weights) model.Parameters.Upload(p.Index, ParameterSlot.Value, Values.Random((ulong)p.Index, p.Elements));
        return model;
    }
}
