using Asni.Cpu;
using Asni.Data;
using Asni.Methods;
using Asni.Networks;
using Asni.Optimizers;
using Asni.Pruning;
using Asni.Tensors;
using Asni.Tests.Devices;
using Asni.Tests.Reference;
using static Asni.Tests.Methods.MethodTests;

namespace Asni.Tests.Methods;

/// <summary>What prunes a trained network by its loss's curvature.</summary>
public class CurvaturePruningTests : DeviceTests
{
    private static IEnumerable<TestCaseData> Methods()
    {
        yield return Case("obd", p => new Obd { Pruning = p });
        yield return Case("obd, hutchinson", p => new Obd { Pruning = p with { Gradients = 8 }, Curvature = CurvatureKind.Hutchinson });
        yield return Case("obs", p => new Obs { Pruning = p, Rounds = 3 });
        yield return Case("obs, more gradients than weights", p => new Obs { Pruning = p with { GradientImages = 4 }, Block = 20, Rounds = 1 });

        static TestCaseData Case(string name, Func<CurvaturePruning, Method> method) => new TestCaseData(method).SetArgDisplayNames(name);
    }

    [TestCaseSource(nameof(Methods))]
    public void It_cuts_the_dense_network_to_exactly_what_was_asked_and_trains_the_rest(Func<CurvaturePruning, Method> method)
    {
        PhaseResult? dense = null;
        foreach (CurvaturePruning pruning in (CurvaturePruning[])[new() { Sparsity = 0.9 }, new() { Sparsity = 0.8, Local = true }, new() { Sparsity = 0.95, MinimumKept = 10 }])
        {
            (RunResult result, RecordingObserver observer) = Run(method(pruning with { Retraining = new Retraining { Epochs = 2 } }));
            Assert.That(result.Phases.Select(p => (p.Phase, p.Complete)), Is.EqualTo(new[] { ("dense", true), (method(pruning).Name, true) }));
            dense ??= result.Phases[0];
            Assert.That(result.Phases[0].Model.ComputeSha256(), Is.EqualTo(dense.Model.ComputeSha256()), "dense training is the same whatever comes after");
            PhaseResult sparse = result.Phases[1];
            long kept = pruning.Local ? Net.Weights.Sum(p => Quota.At(pruning.Sparsity, p.Elements)) : Quota.At(pruning.Sparsity, Net.WeightCount);
            Assert.That(sparse.Kept, Is.EqualTo(kept));
            Assert.That(observer.Epochs.Where(e => e.Phase != "dense").Select(e => e.Kept), Is.EqualTo(new[] { kept, kept }));
            Assert.That(Net.Weights.Select(p => sparse.Model.Masks[p.Index]!.Live), Has.All.AtLeast(pruning.MinimumKept));
            foreach (Parameter p in Net.Weights)
                Assert.That(sparse.Model.Values[p.Index].Where((_, i) => !sparse.Model.Masks[p.Index]![i]).Select(BitConverter.SingleToUInt32Bits), Is.All.Zero);
            if (pruning.Sparsity == 0.9) Assert.That(sparse.Top1, Is.GreaterThan(0.6), "chance is 0.25");
            RunResult given = Run(method(pruning with { Retraining = new Retraining { Epochs = 2 } }), dense.Model).Result;
            Assert.That(given.Phases.Single().Model.ComputeSha256(), Is.EqualTo(sparse.Model.ComputeSha256()), "from the dense network's file it is the same");
        }
    }

    [Test]
    public void Surgery_changes_the_weights_that_stay_and_damage_does_not()
    {
        RunResult damage = Run(new Obd()).Result, surgery = Run(new Obs()).Result;
        Assert.That(Moved(damage), Is.Zero);
        Assert.That(Moved(surgery), Is.GreaterThan(0.9 * surgery.Phases[1].Kept));

        static long Moved(RunResult result) => Net.Weights.Sum(p => result.Phases[1].Initial.Values[p.Index].Zip(result.Phases[0].Model.Values[p.Index]).Count(v => v.First != 0 && v.First != v.Second));
    }

    [Test]
    public void Gradual_cuts_follow_the_cubic_and_end_at_K([Values] bool surgery)
    {
        var pruning = new CurvaturePruning { Sparsity = 0.9, Gradual = true, Gradients = 8, Cuts = new GradualPruning { Begin = 0.25, End = 0.75, EverySteps = 1 }, Retraining = new Retraining { Epochs = 8 } };
        (RunResult result, RecordingObserver observer) = Run(surgery ? new Obs { Pruning = pruning } : new Obd { Pruning = pruning });
        long[] kept = [.. observer.Epochs.Where(e => e.Phase != "dense").Select(e => e.Kept)];
        Assert.That(kept, Is.EqualTo(kept.OrderDescending()));
        Assert.That((kept[0], kept[1], kept[^1]), Is.EqualTo((Net.WeightCount, Net.WeightCount, Quota.At(0.9, Net.WeightCount))));
        Assert.That(kept[3], Is.EqualTo(Quota.At(0.9 * (1 - 0.125), Net.WeightCount)).Within(1), "half way");
        Assert.That(result.Phases[1].Top1, Is.GreaterThan(0.6), "chance is 0.25");
    }

    /// <summary>F is damp times the unit matrix then: cuts are those by magnitude, and all else of the training is as if no gradient had been taken.</summary>
    [TestCase(OptimizerKind.Sgd)]
    [TestCase(OptimizerKind.Momentum)]
    [TestCase(OptimizerKind.Adam)]
    public void With_a_large_damp_gradual_surgery_is_gradual_pruning_by_magnitude_bit_for_bit(OptimizerKind optimizer)
    {
        var pruning = new CurvaturePruning { Sparsity = 0.9, Gradual = true, Gradients = 3, Cuts = new GradualPruning { Begin = 0.1, End = 0.6, EverySteps = 3 } };
        Assert.That(Trained(new Obs { Pruning = pruning, Damp = 1e12 }, Net, MethodTests.Data), Is.EqualTo(Trained(new ByMagnitude(pruning), Net, MethodTests.Data)));
        // A bias before batch-norm has no gradient in training, but has one where statistics are constants.
        Network norm = new NetworkBuilder("norm", new Chw(3, 6, 6)).Convolution("conv", 4, 3, padding: 1, bias: true).BatchNorm("norm").Relu("cut").Linear("head", 4).Build();
        DatasetSplit images = BlobDataset.Split(100, norm.Input, norm.Classes);
        Assert.That(Trained(new Obs { Pruning = pruning, Damp = 1e12 }, norm, images), Is.EqualTo(Trained(new ByMagnitude(pruning), norm, images)));

        string Trained(Method method, Network network, DatasetSplit data)
        {
            Recipe recipe = With(method);
            using var device = new CpuDevice(2);
            return MethodRunner.Run(recipe with { Optimizer = recipe.Optimizer with { Kind = optimizer } }, network, data, device).Phases[^1].Model.ComputeSha256();
        }
    }

    private sealed record ByMagnitude(CurvaturePruning Pruning) : Method
    {
        internal override MethodRow Row => new Obs().Row with { Settings = [] };

        internal override IEnumerable<PhasePlan> Phases(Recipe recipe, bool given) => Pruning.Retraining.PhasesAfterDense(Name, recipe, given);

        internal override IEnumerable<PhaseResult> Run(MethodRun run) => Pruning.Retraining.RunAfterDense(run, Name, model => (Pruning.Cuts with { Sparsity = Pruning.Sparsity })
            .Policy(new PruningOptions().CreatePruner(model, run.Recipe.Seed), (long)run.Recipe.Epochs * run.StepsPerEpoch, _ => { }));
    }

    /// <summary>F is damp times the unit matrix then: the order is that of magnitudes, and nothing moves.</summary>
    [Test]
    public void With_a_large_damp_surgery_is_the_cut_by_magnitude()
    {
        PhaseResult surgery = Run(new Obs { Damp = 1e30, Rounds = 1 }).Result.Phases[1], magnitude = Run(new OneShot()).Result.Phases[1];
        Assert.That(surgery.Initial.Masks.Select(m => m?.Words.ToArray()), Is.EqualTo(magnitude.Initial.Masks.Select(m => m?.Words.ToArray())));
        foreach (Parameter p in Net.Weights) Assert.That(surgery.Initial.Values[p.Index], Is.EqualTo(magnitude.Initial.Values[p.Index]));
    }

    [TestCaseSource(nameof(Methods))]
    public void A_network_with_batch_norm_and_residual_sums_is_pruned_on_every_device_alike(Func<CurvaturePruning, Method> method)
    {
        Network network = SmallNetworks.Create("bottleneck");
        DatasetSplit data = BlobDataset.Split(40, network.Input, network.Classes);
        Recipe recipe = With(method(new CurvaturePruning { Sparsity = 0.7, Gradients = 8, GradientImages = 8 })) with { Epochs = 1, BatchSize = 16 };
        TrainedNetwork start;
        using (var cpu = new CpuDevice(2)) start = MethodRunner.Run(recipe with { Method = new DenseTraining() }, network, data, cpu).Phases[0].Model;
        PhaseResult? expected = null;
        foreach (DeviceCase device in DeviceCase.All)
        {
            using Workbench bench = device.Open();
            PhaseResult phase = MethodRunner.Run(recipe, network, data, bench.Device, start: start).Phases.Single();
            Assert.That(phase.Kept, Is.EqualTo(Quota.At(0.7, network.WeightCount)), device.Name);
            expected ??= phase;
            // Scores differ in their last digits from device to device.
            long different = network.Weights.Sum(p => Enumerable.Range(0, (int)p.Elements).Count(i => phase.Model.Masks[p.Index]![i] != expected.Model.Masks[p.Index]![i]));
            Assert.That(different, Is.LessThan(0.03 * phase.Kept), device.Name);
        }
    }

    [Test]
    public void More_images_than_can_be_counted_are_refused() =>
        Assert.That(() => With(new Obs { Pruning = new CurvaturePruning { Gradients = 1 << 16, GradientImages = 1 << 16 } }).Validate(),
            Throws.TypeOf<UsageException>().With.Message.EqualTo("65536 gradients of 65536 images are more than 2147483647 images; choose fewer."));
}
