using System.Collections.Immutable;
using Asni.Cpu;
using Asni.Devices;
using Asni.Engine;
using Asni.Methods;
using Asni.Networks;
using Asni.Pruning;
using Asni.Tensors;
using Asni.Tests.Devices;
using Asni.Training.Policies;
using static Asni.Tests.Methods.MethodTests;

namespace Asni.Tests.Methods;

public class EarlyBirdTests : DeviceTests
{
    /// <summary>8 kept of 16. The second mask has 2 others (distance 1/4), the third is 1 away from the second and 3 from the first (3/8), then nothing moves: within 0.3 of all four others is the sixth.</summary>
    [TestCase(0.3, 6)]
    [TestCase(0.375, 6)]
    [TestCase(0.376, 5)]
    [TestCase(0.125, 7)]
    [TestCase(1.0, 5)]
    public void Masks_made_by_hand_settle_when_they_should(double distance, int expected)
    {
        string[] masks =
        [
            "1111111100000000",
            "1111110011000000",
            "1111100011100000",
            "1111100011100000",
            "1111100011100000",
            "1111100011100000",
            "1111100011100000",
        ];
        var history = new MaskHistory(5, distance);
        int settled = masks.TakeWhile(m => !history.Add([null, Of(m)])).Count() + 1;
        Assert.That(settled, Is.EqualTo(expected));
        Assert.That(MaskHistory.Distance([Of(masks[0])], [Of(masks[2])]), Is.EqualTo(3 / 8.0));
    }

    /// <summary>The masks of a training that nothing prunes are recorded; a plain search through them says when the first cut is due.</summary>
    [TestCase(0.1)]
    [TestCase(0.07)]
    [TestCase(0.05)]
    public void It_fires_at_the_epoch_that_is_found_in_the_recorded_masks(double distance)
    {
        var method = new EarlyBird { Sparsity = 0.8, Distance = distance };
        Recipe recipe = With(method) with { Epochs = 14 };
        using var device = new CpuDevice(2);
        using var run = new MethodRun(recipe, Net, MethodTests.Data, device, new RecordingObserver());
        var recorder = new Recorder(run.Model);
        run.Train(new PhasePlan("earlybird", 14, recipe.LearningRate), recorder);
        int first = Enumerable.Range(4, 9).First(e => Enumerable.Range(1, 4).All(back => Replaced(recorder.Masks[e], recorder.Masks[e - back]) < distance));
        Assert.That(first, Is.InRange(5, 11), "neither at once nor at the end, where it has to");

        var observer = new RecordingObserver();
        PhaseResult phase = MethodRunner.Run(recipe, Net, MethodTests.Data, device, observer).Phases.Single();
        long kept = Quota.At(0.8, Net.WeightCount);
        Assert.That(observer.Epochs.Select(e => e.Kept), Is.EqualTo(Enumerable.Range(0, 14).Select(e => e <= first ? Net.WeightCount : kept)));
        Assert.That(Live(phase.Model.Masks).SetEquals(recorder.Masks[first]));
        Assert.That(observer.Notes, Has.Member($"the mask has settled: the network is pruned after epoch {first + 1} of 14."));
        Assert.That(phase.Top1, Is.GreaterThan(0.6), "chance is 0.25");
    }

    [TestCase(1)]
    [TestCase(2)]
    [TestCase(5)]
    [TestCase(9)]
    public void What_never_settles_is_pruned_before_the_last_epoch(int epochs)
    {
        var observer = new RecordingObserver();
        using var device = new CpuDevice(2);
        PhaseResult phase = MethodRunner.Run(With(new EarlyBird { Sparsity = 0.9, Distance = 1e-9 }) with { Epochs = epochs }, Net, MethodTests.Data, device, observer).Phases.Single();
        Assert.That(phase.Kept, Is.EqualTo(Quota.At(0.9, Net.WeightCount)));
        Assert.That(observer.Epochs.Select(e => e.Kept), Is.EqualTo(Enumerable.Range(1, epochs).Select(e => e == epochs ? phase.Kept : Net.WeightCount)));
        Assert.That(observer.Notes.Any(n => n.Contains("has not settled")), Is.EqualTo(epochs > 1));
        foreach (Parameter p in Net.Weights)
            Assert.That(phase.Model.Values[p.Index].Where((_, i) => !phase.Model.Masks[p.Index]![i]).Select(BitConverter.SingleToUInt32Bits), Is.All.Zero);
    }

    [Test]
    public void A_floor_and_a_cut_in_each_layer_are_kept()
    {
        Assert.That(Run(new EarlyBird { Sparsity = 0.95, MinimumKept = 10 }).Result.Phases[0].Model.Masks.OfType<Mask>().Select(m => m.Live), Has.All.AtLeast(10));
        PhaseResult local = Run(new EarlyBird { Sparsity = 0.8, Local = true }).Result.Phases[0];
        Assert.That(Net.Weights.Select(p => local.Model.Masks[p.Index]!.Live), Is.EqualTo(Net.Weights.Select(p => Quota.At(0.8, p.Elements))));
    }

    /// <summary>By magnitude, random numbers and numbers that are equal; of a network that is dense, and of one that is pruned already.</summary>
    [Test]
    public void A_preview_is_what_the_cut_then_leaves_and_changes_nothing([ValueSource(typeof(DeviceCase), nameof(DeviceCase.All))] DeviceCase device, [Values] AllocationKind allocation, [Values] bool equal)
    {
        using Workbench bench = device.Open();
        using var model = new Model(Net, bench.Device);
        model.Load(MethodRunner.CreateInitialWeights(Net, 5));
        if (equal)
            foreach (Parameter p in Net.Weights) model.Parameters.Upload(p.Index, ParameterSlot.Value, [.. Enumerable.Range(0, (int)p.Elements).Select(i => i % 3 == 0 ? -0.5f : 0.5f)]);
        foreach (ScoreKind score in (ScoreKind[])[ScoreKind.Magnitude, ScoreKind.Random])
        {
            Pruner pruner = new PruningParts { Score = score, Allocation = allocation }.CreatePruner(model, seed: 3);
            foreach (double sparsity in (double[])[0, score == ScoreKind.Magnitude ? 0.5 : 0.7])
            {
                string before = model.TakeSnapshot().ComputeSha256();
                ImmutableArray<Mask?> preview = pruner.Preview(sparsity);
                Assert.That(model.TakeSnapshot().ComputeSha256(), Is.EqualTo(before));
                pruner.PruneTo(sparsity, _ => { });
                foreach (Parameter p in Net.Weights)
                    Assert.That(preview[p.Index]!.Words.ToArray(), Is.EqualTo((model.Parameters.GetMask(p.Index) ?? new Mask(p.Elements)).Words.ToArray()), $"{score}, {sparsity}, {p.Name}");
            }
        }
    }

    private static Mask Of(string bits)
    {
        var mask = new Mask(bits.Length, live: false);
        for (int i = 0; i < bits.Length; i++) mask[i] = bits[i] == '1';
        return mask;
    }

    private static HashSet<(int, int)> Live(ImmutableArray<Mask?> masks) =>
        [.. Net.Weights.SelectMany(p => Enumerable.Range(0, (int)p.Elements).Where(i => masks[p.Index]![i]).Select(i => (p.Index, i)))];

    private static double Replaced(HashSet<(int, int)> a, HashSet<(int, int)> b) => a.Count(w => !b.Contains(w)) / (double)a.Count;

    /// <summary>The largest magnitudes after each epoch, by sorting.</summary>
    private sealed class Recorder(Model model) : IMaskPolicy
    {
        public List<HashSet<(int, int)>> Masks { get; } = [];

        public PruneOutcome? AfterStep(in StepPoint at) => null;

        public PruneOutcome? BetweenEpochs(in StepPoint at)
        {
            TrainedNetwork now = model.TakeSnapshot();
            var all = Net.Weights.SelectMany(p => now.Values[p.Index].Select((w, i) => (Index: p.Index, i, Size: Math.Abs(w)))).OrderByDescending(w => w.Size);
            Masks.Add([.. all.Take((int)Quota.At(0.8, Net.WeightCount)).Select(w => (w.Index, w.i))]);
            return null;
        }
    }
}
