using System.Collections.Immutable;
using Asni.Cpu;
using Asni.Methods;
using Asni.Networks;
using Asni.Pruning;
using Asni.Settings;
using Asni.Training;
using Asni.Training.Policies;
using static Asni.Tests.Methods.MethodTests;

namespace Asni.Tests.Methods;

public class AcdcTests
{
    private static readonly long s_kept = Quota.At(0.9, Net.WeightCount);

    /// <summary>72 steps, 12 an epoch: each time is the end of an epoch, and an epoch that ends there is trained and evaluated as it was before.</summary>
    [Test]
    public void Sparse_and_dense_parts_take_turns_and_exactly_K_live_in_the_sparse_ones()
    {
        var method = new Acdc { Sparsity = 0.9, Times = [1 / 6.0, 2 / 6.0, 3 / 6.0, 4 / 6.0, 5 / 6.0] };
        (RunResult result, RecordingObserver observer) = Run(method);
        long n = Net.WeightCount;
        Assert.That(observer.Epochs.Select(e => e.Kept), Is.EqualTo(new[] { n, s_kept, n, s_kept, n, s_kept }));
        Func<int, double> planned = method.PlannedSparsity(With(method), "acdc")!;
        foreach (EpochRecord epoch in observer.Epochs) Assert.That(planned(epoch.Epoch), Is.EqualTo(epoch.Sparsity).Within(1e-3));
        Assert.That(result.Phases.Single().Top1, Is.GreaterThan(0.35), "chance is 0.25, and one epoch is trained after the last cut");
    }

    [TestCase(0.05)]
    [TestCase(0.3)]
    [TestCase(0.99)]
    [TestCase(0.01, 0.011, 0.012)]
    [TestCase(0.97, 0.98, 0.99)]
    [TestCase(0.1, 0.15, 0.2, 0.25, 0.3, 0.35, 0.4, 0.45, 0.5, 0.55, 0.6, 0.65, 0.7, 0.75, 0.85)]
    public void What_is_left_is_exact_whatever_the_times(params double[] times)
    {
        PhaseResult phase = Run(new Acdc { Sparsity = 0.9, Times = [.. times] }).Result.Phases.Single();
        Assert.That((phase.Phase, phase.Kept), Is.EqualTo(("acdc", s_kept)));
        foreach (Parameter p in Net.Weights)
            Assert.That(phase.Model.Values[p.Index].Where((_, i) => !phase.Model.Masks[p.Index]![i]).Select(BitConverter.SingleToUInt32Bits), Is.All.Zero);
    }

    [Test]
    public void Even_one_step_leaves_a_sparse_network()
    {
        using var device = new CpuDevice(1);
        Recipe recipe = With(new Acdc { Sparsity = 0.9 }) with { Epochs = 1, BatchSize = 600 };
        Assert.That(MethodRunner.Run(recipe, Net, MethodTests.Data, device).Phases.Single().Kept, Is.EqualTo(s_kept));
    }

    /// <summary>Without a dense part in between it is training with one cut.</summary>
    [TestCase(0.5, 36)]
    [TestCase(0.47, 34)]
    public void A_single_time_is_one_cut(double time, long step)
    {
        var method = new Acdc { Sparsity = 0.9, Times = [time] };
        using var device = new CpuDevice(2);
        using var run = new MethodRun(With(method), Net, MethodTests.Data, device, new RecordingObserver());
        PhaseResult once = run.Train(new PhasePlan("acdc", 6, run.Recipe.LearningRate), new OneCut(new Pruner(run.Model, new Magnitude(), new Pooled()), step));
        Assert.That(Run(method).Result.Phases.Single().Model.ComputeSha256(), Is.EqualTo(once.Model.ComputeSha256()));
        Assert.That(once.Kept, Is.EqualTo(s_kept));
    }

    [Test]
    public void What_lives_again_starts_from_zero_and_is_trained()
    {
        TrainedNetwork? sparse = null, dense = null, trained = null;
        using var device = new CpuDevice(2);
        using var run = new MethodRun(With(new Acdc()), Net, MethodTests.Data, device, new RecordingObserver());
        var alternate = new Alternate(new Pruner(run.Model, new Magnitude(), new Pooled()), 0.9, [20 / 72.0, 31 / 72.0, 60 / 72.0], _ => { });
        run.Train(new PhasePlan("acdc", 6, run.Recipe.LearningRate), new Watched(alternate, at =>
        {
            if (at.Done == 30) sparse = run.Model.TakeSnapshot();
            if (at.Done == 31) dense = run.Model.TakeSnapshot();
            if (at.Done == 59) trained = run.Model.TakeSnapshot();
        }));
        foreach (Parameter p in Net.Weights)
        {
            Assert.That(dense!.Masks[p.Index], Is.Null);
            int[] revived = [.. Enumerable.Range(0, (int)p.Elements).Where(i => !sparse!.Masks[p.Index]![i])];
            Assert.That(revived.Select(i => BitConverter.SingleToUInt32Bits(dense.Values[p.Index][i])), Is.All.Zero);
            Assert.That(revived.Count(i => trained!.Values[p.Index][i] != 0), Is.GreaterThan(revived.Length / 2));
        }
    }

    [TestCase("")]
    [TestCase("0.1,0.2")]
    [TestCase("0.3,0.2,0.4")]
    [TestCase("0.3,0.3,0.4")]
    [TestCase("0")]
    [TestCase("0.5,0.6,1")]
    [TestCase("a")]
    public void Times_are_checked(string text)
    {
        Setting<Method> setting = Method.Find("acdc")!.Row.Settings.Single(s => s.Key == "alternate");
        Assert.That(() => setting.Set(new Acdc(), text), Throws.TypeOf<FormatException>());
        Assert.That(setting.Get(setting.Set(new Acdc(), "0.1, 0.25,0.5")), Is.EqualTo("0.1,0.25,0.5"));
    }

    [Test]
    public void Times_that_were_not_read_are_checked_too() =>
        Assert.That(() => With(new Acdc { Times = [0.5, 0.4, 0.6] }).Validate(), Throws.TypeOf<UsageException>().With.Message.StartsWith("alternate '0.5,0.4,0.6' is not an odd number of shares"));

    private sealed class OneCut(Pruner pruner, long step) : IMaskPolicy
    {
        // At the end of an epoch before its evaluation, which makes no difference to what is trained.
        public PruneOutcome? AfterStep(in StepPoint at) => at.Done == step ? pruner.PruneTo(0.9, _ => { }) : null;
        public PruneOutcome? BetweenEpochs(in StepPoint at) => null;
    }

    private sealed class Watched(IMaskPolicy inner, Action<StepPoint> see) : IMaskPolicy
    {
        public PruneOutcome? AfterStep(in StepPoint at)
        {
            PruneOutcome? outcome = inner.AfterStep(at);
            see(at);
            return outcome;
        }

        public PruneOutcome? BetweenEpochs(in StepPoint at) => inner.BetweenEpochs(at);
    }
}
