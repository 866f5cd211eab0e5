using Asni.Cpu;
using Asni.Methods;
using Asni.Networks;
using Asni.Pruning;
using Asni.Settings;
using Asni.Tensors;
using Asni.Training;
using static Asni.Tests.Methods.MethodTests;

namespace Asni.Tests.Methods;

/// <summary>Patterns in the methods that have them. The network's layers have 36, 40 and 20 inputs; the last one stays dense under N:M.</summary>
public class PatternMethodTests
{
    private static IEnumerable<Method> With(PruningParts parts) =>
    [
        new OneShot { Pruning = parts, Retraining = new Retraining { Epochs = 2 } },
        new Gmp { Pruning = parts },
        new Imp { Pruning = parts },
        new Acdc { Pruning = parts },
        new MovementPruning { Pruning = parts },
    ];

    /// <summary>srste has no masks before its end: MarkedWeightsTests.</summary>
    [Test]
    public void All_methods_that_have_parts_are_here() =>
        Assert.That(With(new PruningParts()).Select(m => m.Name), Is.EquivalentTo(Method.All.Where(m => m is not SparseRefined && m.Row.Settings.Any(s => s.Key == "pattern")).Select(m => m.Name)));

    /// <summary>1,440 and 800 weights in groups, 80 in the last layer.</summary>
    [TestCase("2:4", 1120 + 80)]
    [TestCase("1:4", 560 + 80)]
    [TestCase("1:2", 1120 + 80)]
    [TestCase("3:9", 480 + 800 + 80, Description = "40 is no multiple of 9")]
    public void The_pattern_gives_the_sparsity(string pattern, int kept)
    {
        var parts = new PruningParts { Pattern = WeightPattern.Parse(pattern) };
        foreach (Method method in With(parts))
        {
            (RunResult result, RecordingObserver observer) = Run(method);
            PhaseResult phase = result.Phases[^1];
            Assert.That(phase.Kept, Is.EqualTo(kept), method.Name);
            Assert.That(method.FinalSparsity(MethodTests.With(method), Net), Is.EqualTo(phase.Sparsity).Within(1e-12), method.Name);
            if (method.PlannedSparsity(MethodTests.With(method), phase.Phase, Net) is { } planned) Assert.That(planned(5), Is.EqualTo(phase.Sparsity).Within(1e-12), method.Name);
            Assert.That(observer.Notes.Count(n => n.StartsWith($"the pattern {pattern} leaves dense: ", StringComparison.Ordinal)), Is.EqualTo(1), method.Name);
            Assert.That(method.Row.Settings.Single(s => s.Key == "sparsity").Get(method), Is.EqualTo(SettingText.Text(parts.Target(0))), "in the recipe that is saved");
            AssertGroups(phase.Model, (GroupPattern)parts.Pattern);
        }
    }

    [Test]
    public void A_pattern_of_all_weights_prunes_nothing()
    {
        var all = new PruningParts { Pattern = new GroupPattern(4, 4) };
        using var device = new CpuDevice(2);
        using var run = new MethodRun(MethodTests.With(new Gmp()), Net, MethodTests.Data, device, new RecordingObserver());
        PhaseResult dense = run.Train(new PhasePlan("gmp", 6, run.Recipe.LearningRate));
        Assert.That(Run(new Gmp { Pruning = all }).Result.Phases.Single().Model.ComputeSha256(), Is.EqualTo(dense.Model.ComputeSha256()));
        foreach (Method method in With(all)) Assert.That(Run(method).Result.Phases[^1].Model.Masks, Is.All.Null, method.Name);
    }

    /// <summary>S(t) M is 0.5 and 1.5 weights of a group at S = 1/8 and 3/8.</summary>
    [Test]
    public void Gmp_takes_one_weight_of_a_group_after_the_other()
    {
        var method = new Gmp { Cuts = new() { Begin = 0, End = 1, EverySteps = 1 }, Pruning = new PruningParts { Pattern = new GroupPattern(1, 4) } };
        Func<int, double> planned = method.PlannedSparsity(MethodTests.With(method), "gmp", Net)!;
        foreach (EpochRecord epoch in Run(method).Observer.Epochs)
        {
            int gone = (int)Math.Round(4 * 0.75 * (1 - Math.Pow(1 - (epoch.Epoch + 1) / 6.0, 3)), MidpointRounding.AwayFromZero);
            Assert.That(epoch.Kept, Is.EqualTo(80 + 2240 / 4 * (4 - gone)));
            Assert.That(epoch.Sparsity, Is.EqualTo(planned(epoch.Epoch)).Within(1e-12));
        }
    }

    [TestCase(2, 4, 0.2, 3, 2)]
    [TestCase(1, 4, 0.5, 2, 1)]
    [TestCase(4, 4, 0.2, 4)]
    [TestCase(2, 16, 0.4, 10, 6, 4, 2)]
    public void Rounds_of_imp_take_a_share_of_each_group_and_at_least_one_weight(int n, int m, double share, params int[] levels)
    {
        var groups = new GroupPattern(n, m);
        Assert.That(groups.Levels(share), Is.EqualTo(levels));
        if (m != 4) return;
        RunResult result = Run(new Imp { RoundShare = share, Pruning = new PruningParts { Pattern = groups } }).Result;
        Assert.That(result.Phases.Select(p => p.Kept), Is.EqualTo(levels.Select(kept => 80L + 2240 / 4 * kept).Prepend(2320)));
    }

    [Test]
    public void Acdc_lifts_the_masks_in_between()
    {
        var method = new Acdc { Times = [1 / 6.0, 3 / 6.0, 4 / 6.0], Pruning = new PruningParts { Pattern = new GroupPattern(2, 4) } };
        Assert.That(Run(method).Observer.Epochs.Select(e => e.Kept), Is.EqualTo(new[] { 2320, 1200, 1200, 2320, 1200, 1200 }));
    }

    [TestCase("block4x1", AllocationKind.Pooled)]
    [TestCase("block4x1", AllocationKind.Uniform)]
    [TestCase("block3x7", AllocationKind.Pooled)]
    [TestCase("block3x7", AllocationKind.UniformPlus)]
    public void Blocks_keep_at_most_K_weights(string pattern, AllocationKind allocation)
    {
        var blocks = (BlockPattern)WeightPattern.Parse(pattern);
        foreach (Method method in With(new PruningParts { Pattern = blocks, Allocation = allocation }))
        {
            PhaseResult phase = Run(method).Result.Phases[^1];
            int quotas = allocation == AllocationKind.Pooled ? 1 : 3;
            long most = Quota.At(0.9, Net.WeightCount);
            Assert.That(phase.Kept, Is.InRange(most - (blocks.Outputs * blocks.Inputs - 1) * quotas, most), method.Name);
            // All layers have multiples of 4 outputs, and each number that is to stay is a multiple too.
            if (pattern == "block4x1") Assert.That(phase.Kept, Is.EqualTo(most), method.Name);
        }
    }

    [Test]
    public void Layers_have_the_densities_that_are_given()
    {
        LayerDensities densities = LayerDensities.Parse("0.5,0.1,0.1"), fewer = LayerDensities.Parse("0.5,0.1");
        long[][] kept = [.. Methods(densities).Select(m => Run(m).Result.Phases[^1].Model).Select(m => m.Network.Weights.Select(m.Live).ToArray())];
        Assert.That(kept, Is.All.EqualTo(kept[0]));
        Assert.That(kept[0].Sum(), Is.EqualTo(Quota.At(0.9, Net.WeightCount)));
        double[] densest = [.. kept[0].Zip(Net.Weights, (k, p) => (double)k / p.Elements)];
        Assert.That(densest[0], Is.EqualTo(5 * densest[1]).Within(0.05));
        foreach (Method method in Methods(fewer))
            Assert.That(() => Run(method), Throws.TypeOf<UsageException>().With.Message.EqualTo("layer-densities has 2 numbers, and tiny has 3 layers with weights."), method.Name);

        Refused(new PruningParts { LayerDensities = densities, Allocation = AllocationKind.Erk }, "layer-densities says what each layer keeps, and so does the allocation erk.");
        Refused(new PruningParts { LayerDensities = densities, Pattern = new GroupPattern(2, 4) }, "layer-densities says what each layer keeps, and so does the pattern 2:4.");
        Refused(new PruningParts { LayerDensities = densities, Biases = true }, "layer-densities says what each layer keeps: local, min-kept and prune-biases go without it.");

        static void Refused(PruningParts parts, string message)
        {
            foreach (Method method in With(parts)) Assert.That(() => MethodTests.With(method).Validate(), Throws.TypeOf<UsageException>().With.Message.EqualTo(message), method.Name);
        }

        static IEnumerable<Method> Methods(LayerDensities d) =>
            [.. With(new PruningParts { LayerDensities = d }), new SparseEvolution { Start = new SparseStart { LayerDensities = d } }, new Rigl { Start = new SparseStart { LayerDensities = d } }];
    }

    [TestCase("2:4", AllocationKind.Uniform, false, 0, false, "the pattern 2:4 prunes the weights of every layer alike: allocation, local, min-kept and prune-biases go with other patterns.")]
    [TestCase("2:4", AllocationKind.Pooled, true, 0, false, "the pattern 2:4 prunes the weights of every layer alike: allocation, local, min-kept and prune-biases go with other patterns.")]
    [TestCase("2:4", AllocationKind.Pooled, false, 1, false, "the pattern 2:4 prunes the weights of every layer alike: allocation, local, min-kept and prune-biases go with other patterns.")]
    [TestCase("2:4", AllocationKind.Pooled, false, 0, true, "the pattern 2:4 prunes the weights of every layer alike: allocation, local, min-kept and prune-biases go with other patterns.")]
    [TestCase("block4x1", AllocationKind.Lamp, false, 0, false, "the pattern block4x1 prunes whole cells: min-kept and the allocations lamp and normalized, which look at single weights, do not go with it.")]
    [TestCase("block4x1", AllocationKind.Pooled, false, 1, false, "the pattern block4x1 prunes whole cells: min-kept and the allocations lamp and normalized, which look at single weights, do not go with it.")]
    public void Settings_that_exclude_each_other_are_refused(string pattern, AllocationKind allocation, bool local, int minimum, bool biases, string message)
    {
        foreach (Method method in With(new PruningParts { Pattern = WeightPattern.Parse(pattern), Allocation = allocation, Local = local, MinimumKept = minimum, Biases = biases }))
            Assert.That(() => MethodTests.With(method).Validate(), Throws.TypeOf<UsageException>().With.Message.EqualTo(message));
    }

    [Test]
    public void A_network_without_a_layer_for_it_is_refused() =>
        Assert.That(() => Run(new Gmp { Pruning = new PruningParts { Pattern = new GroupPattern(1, 7) } }), Throws.TypeOf<UsageException>().With.Message.EqualTo(
            "the pattern 1:7 finds nothing to prune in tiny: no layer but the last linear one has a multiple of 7 inputs."));

    [TestCase("weight")]
    [TestCase("2:4")]
    [TestCase("1:1")]
    [TestCase("block4x1")]
    public void Patterns_are_read_as_they_are_written(string text) => Assert.That(WeightPattern.Parse(text).ToString(), Is.EqualTo(text));

    private static void AssertGroups(TrainedNetwork model, GroupPattern groups)
    {
        foreach (Parameter p in model.Network.Weights)
        {
            if (model.Masks[p.Index] is not { } mask) continue;
            for (int first = 0; first < p.Elements; first += groups.Of)
                Assert.That(Enumerable.Range(first, groups.Of).Count(i => mask[i]), Is.EqualTo(groups.Kept), $"{p.Name} at {first}");
        }
    }
}
