using Asni.Cpu;
using Asni.Data;
using Asni.Devices;
using Asni.Methods;
using Asni.Networks;
using Asni.Pruning;
using Asni.Tensors;
using Asni.Tests.Devices;
using Asni.Tests.Reference;
using static Asni.Tests.Methods.MethodTests;

namespace Asni.Tests.Methods;

/// <summary>What prunes before training.</summary>
public class InitialPruningTests : DeviceTests
{
    private const InitialControls AllControls = InitialControls.Shuffle | InitialControls.Reinit | InitialControls.Invert;

    private static IEnumerable<TestCaseData> Methods()
    {
        yield return Case("snip", p => new Snip { Pruning = p });
        yield return Case("snip, 5 rounds", p => new Snip { Pruning = p, Rounds = 5, Images = 37 });
        yield return Case("snip, 5 rounds, revival", p => new Snip { Pruning = p, Rounds = 5, Images = 37, Revive = true });
        yield return Case("snip, other values", p => new Snip { Pruning = p, Scored = ScoredValues.Other });
        yield return Case("grasp", p => new Grasp { Pruning = p });
        yield return Case("synflow", p => new SynFlow { Pruning = p, Rounds = 10 });

        static TestCaseData Case(string name, Func<InitialPruning, Method> method) => new TestCaseData(method).SetArgDisplayNames(name);
    }

    [TestCaseSource(nameof(Methods))]
    public void It_keeps_exactly_what_was_asked_of_untouched_initial_values_and_trains_it(Func<InitialPruning, Method> method)
    {
        foreach (InitialPruning pruning in (InitialPruning[])[new() { Sparsity = 0.8 }, new() { Sparsity = 0.8, Local = true }, new() { Sparsity = 0.95, MinimumKept = 10 }])
        {
            (RunResult result, RecordingObserver observer) = Run(method(pruning));
            PhaseResult phase = result.Phases.Single();
            long kept = pruning.Local ? Net.Weights.Sum(p => Quota.At(pruning.Sparsity, p.Elements)) : Quota.At(pruning.Sparsity, Net.WeightCount);
            Assert.That((phase.Kept, phase.Complete), Is.EqualTo((kept, true)));
            Assert.That(observer.Epochs.Select(e => e.Kept), Is.All.EqualTo(kept), "from the first epoch on");
            Assert.That(Net.Weights.Select(p => phase.Model.Masks[p.Index]!.Live), Has.All.AtLeast(pruning.MinimumKept));
            AssertInitial(phase, MethodRunner.CreateInitialWeights(Net, 3));
            if (pruning.Sparsity == 0.8) Assert.That(phase.Top1, Is.GreaterThan(0.33), "chance is 0.25");
        }
    }

    [TestCaseSource(nameof(Methods))]
    public void Controls_have_the_mask_in_other_places_other_values_or_the_other_end_of_the_scores(Func<InitialPruning, Method> method)
    {
        PhaseResult[] phases = [.. Run(method(new InitialPruning { Sparsity = 0.8, Controls = AllControls })).Result.Phases];
        Assert.That(phases.Skip(1).Select(p => p.Phase), Is.EqualTo((string[])["shuffle", "reinit", "invert"]));
        Assert.That(phases.Select(p => p.Phase).Where(Controls.IsControl).Count(), Is.EqualTo(3));
        TrainedNetwork initial = MethodRunner.CreateInitialWeights(Net, 3);
        (PhaseResult own, PhaseResult shuffle, PhaseResult reinit, PhaseResult invert) = (phases[0], phases[1], phases[2], phases[3]);
        Assert.That(phases.Select(p => p.Kept), Is.All.EqualTo(own.Kept));
        Assert.That(Live(shuffle), Is.EqualTo(Live(own)), "as many in each layer");
        Assert.That(Words(shuffle), Is.Not.EqualTo(Words(own)));
        AssertInitial(shuffle, initial);
        Assert.That(Words(reinit), Is.EqualTo(Words(own)));
        Parameter first = Net.Weights.First();
        Assert.That(reinit.Initial.Values[first.Index].Zip(initial.Values[first.Index]).Count(t => t.First != 0 && t.First == t.Second), Is.Zero, "other values");
        AssertInitial(invert, initial);
        long both = Net.Weights.Sum(p => Enumerable.Range(0, (int)p.Elements).Count(i => own.Model.Masks[p.Index]![i] && invert.Model.Masks[p.Index]![i]));
        // By chance it would be a share of 0.2. Where weights return, the smallest are those of another pruned network.
        double share = method(new InitialPruning()) is Snip { Revive: true } ? 0.15 : 0.1;
        Assert.That(both, Is.LessThan(share * own.Kept), "in both the mask and the inverted one");
    }

    [Test]
    public void SynFlow_does_not_look_at_the_data()
    {
        PhaseResult MaskOn(DatasetSplit data)
        {
            using var device = new CpuDevice(2);
            return MethodRunner.Run(With(new SynFlow { Rounds = 5 }) with { Epochs = 1 }, Net, data, device).Phases.Single();
        }
        var other = new DatasetSplit(new BlobDataset(100, new Chw(36, 1, 1), 4, 55), new BlobDataset(50, new Chw(36, 1, 1), 4, 56), "others");
        Assert.That(Words(MaskOn(other)), Is.EqualTo(Words(MaskOn(MethodTests.Data))));
    }

    [Test]
    public void Values_that_are_scored_are_others_when_asked_for() =>
        Assert.That(Words(Run(new Snip { Scored = ScoredValues.Other }).Result.Phases[0]), Is.Not.EqualTo(Words(Run(new Snip()).Result.Phases[0])));

    [TestCaseSource(nameof(Methods))]
    public void A_network_with_batch_norm_and_residual_sums_is_pruned_on_every_device_alike(Func<InitialPruning, Method> method)
    {
        Network network = SmallNetworks.Create("bottleneck");
        DatasetSplit data = BlobDataset.Split(40, network.Input, network.Classes);
        Recipe recipe = With(method(new InitialPruning { Sparsity = 0.7 })) with { Epochs = 1, BatchSize = 16 };
        ulong[][]? expected = null;
        foreach (DeviceCase device in DeviceCase.All)
        {
            using Workbench bench = device.Open();
            PhaseResult phase = MethodRunner.Run(recipe, network, data, bench.Device).Phases.Single();
            Assert.That(phase.Kept, Is.EqualTo(Quota.At(0.7, network.WeightCount)), device.Name);
            AssertInitial(phase, MethodRunner.CreateInitialWeights(network, recipe.Seed));
            ulong[][] words = Words(phase, network);
            expected ??= words;
            // Scores differ in their last digits from device to device.
            long different = expected.Zip(words).Sum(t => t.First.Zip(t.Second).Sum(w => (long)System.Numerics.BitOperations.PopCount(w.First ^ w.Second)));
            Assert.That(different, Is.LessThan(0.02 * phase.Kept), device.Name);
        }
    }

    [Test]
    public void Revival_leaves_paths_through_every_layer_at_a_sparsity_at_which_one_cut_empties_one()
    {
        Network network = NetworkZoo.Create("lenet300");
        DatasetSplit data = BlobDataset.Split(200, network.Input, network.Classes);
        long kept = Quota.At(0.999, network.WeightCount);
        Assert.That(Effective(new Snip { Pruning = new() { Sparsity = 0.999 } }), Is.Zero);
        Assert.That(Effective(new Snip { Pruning = new() { Sparsity = 0.999 }, Rounds = 100, Revive = true }), Is.GreaterThan(0.9 * kept));

        long Effective(Snip snip)
        {
            using var device = new CpuDevice(2);
            var observer = new RecordingObserver();
            TrainedNetwork model = MethodRunner.Run(With(snip) with { Epochs = 1 }, network, data, device, observer).Phases.Single().Model;
            IEnumerable<string> sparse = network.Weights.Where(p => model.Masks[p.Index]!.Live < p.Filter.Out)
                .Select(p => model.Masks[p.Index]!.Live is > 0 and var live ? $"layer {p.Name} is close to empty: {live} of {p.Elements} weights live." : $"layer {p.Name} has no live weight left.");
            TestContext.Out.WriteLine($"{LivePaths.Find(model).Effective} of {model.Masks.Sum(m => m?.Live)} on a path; {string.Join(' ', observer.Notes)}");
            Assert.That(observer.Notes, Is.EqualTo(sparse), "of the last cut alone");
            return LivePaths.Find(model).Effective;
        }
    }

    private static void AssertInitial(PhaseResult phase, TrainedNetwork initial)
    {
        foreach (Parameter p in initial.Network.Parameters)
        {
            float[] wanted = [.. initial.Values[p.Index].Select((w, i) => phase.Initial.Masks[p.Index] is { } mask && !mask[i] ? 0 : w)];
            Assert.That(phase.Initial.Values[p.Index], Is.EqualTo(wanted), p.Name);
        }
    }

    private static long[] Live(PhaseResult phase) => [.. Net.Weights.Select(p => phase.Model.Masks[p.Index]!.Live)];

    private static ulong[][] Words(PhaseResult phase, Network? network = null) =>
        [.. (network ?? Net).Weights.Select(p => (phase.Model.Masks[p.Index] ?? new Mask(p.Elements)).Words.ToArray())];
}
