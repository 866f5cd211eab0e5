using Asni.Methods;
using Asni.Pruning;
using Asni.Training;
using static Asni.Tests.Methods.MethodTests;

namespace Asni.Tests.Methods;

public class GmpTests
{
    [TestCase(1, 0.2, 0.8)]
    [TestCase(5, 0.2, 0.8)]
    [TestCase(7, 0, 1)]
    [TestCase(1000, 0.3, 0.5)]
    [TestCase(null, 0.2, 0.8)]
    public void Gmp_keeps_exactly_what_was_asked_from_its_end_on(int? every, double begin, double end)
    {
        (RunResult result, RecordingObserver observer) = Run(new Gmp { Cuts = new() { Sparsity = 0.9, EverySteps = every, Begin = begin, End = end } });
        PhaseResult phase = result.Phases.Single();
        Assert.That((phase.Phase, phase.Kept, phase.Complete), Is.EqualTo(("gmp", Quota.At(0.9, Net.WeightCount), true)));
        Assert.That(phase.Top1, Is.GreaterThan(0.5), "chance is 0.25");
        foreach (EpochRecord epoch in observer.Epochs)
        {
            double time = (epoch.Epoch + 1) / 6.0;
            if (time < begin) Assert.That(epoch.Sparsity, Is.Zero);
            if (time >= end) Assert.That(epoch.Kept, Is.EqualTo(phase.Kept));
        }
        Assert.That(observer.Epochs.Select(e => e.Sparsity), Is.Ordered.Ascending);
    }

    [Test]
    public void Gmp_of_every_step_follows_the_cubic_in_between()
    {
        var method = new Gmp { Cuts = new() { Sparsity = 0.9, EverySteps = 1, Begin = 0, End = 1 } };
        Func<int, double> planned = method.PlannedSparsity(With(method), "gmp")!;
        foreach (EpochRecord epoch in Run(method).Observer.Epochs)
            Assert.That(epoch.Sparsity, Is.EqualTo(0.9 * (1 - Math.Pow(1 - (epoch.Epoch + 1) / 6.0, 3))).Within(1e-3).And.EqualTo(planned(epoch.Epoch)).Within(1e-3));
    }

    [Test]
    public void Any_score_and_allocation_keep_exactly_what_was_asked([Values] ScoreKind score, [Values] AllocationKind allocation)
    {
        PhaseResult phase = Run(new Gmp { Pruning = new PruningParts { Score = score, Allocation = allocation } }).Result.Phases.Single();
        Assert.That(phase.Kept, Is.EqualTo(Quota.At(0.9, Net.WeightCount)));
        double[] densities = [.. Net.Weights.Select(p => (double)phase.Model.Masks[p.Index]!.Live / p.Elements)];
        if (allocation == AllocationKind.Uniform) Assert.That(densities, Is.All.EqualTo(0.1).Within(0.02));
        if (allocation == AllocationKind.Erk) Assert.That(densities, Is.EqualTo(Erk.Densities([.. Net.Weights], phase.Kept)).Within(0.02));
        if (score == ScoreKind.Magnitude) return;
        // Random numbers do not hang on what was trained, so that one cut leaves what many do.
        PhaseResult once = Run(new OneShot { Sparsity = 0.9, Pruning = new PruningParts { Score = score, Allocation = allocation } }).Result.Phases[^1];
        if (allocation == AllocationKind.Pooled)
            Assert.That(once.Model.Masks.Select(m => m?.Words.ToArray()), Is.EqualTo(phase.Model.Masks.Select(m => m?.Words.ToArray())));
    }

    [TestCase(AllocationKind.Erk, false, 5, false, "local and min-kept need the pooled allocation; this one is erk.")]
    [TestCase(AllocationKind.Lamp, false, 5, false, "local and min-kept need the pooled allocation; this one is lamp.")]
    [TestCase(AllocationKind.Er, false, 0, true, "er has no density for a bias: prune-biases needs another allocation.")]
    [TestCase(AllocationKind.Uniform, true, 0, false, "local and min-kept need the pooled allocation; this one is uniform.")]
    [TestCase(AllocationKind.Erk, false, 0, true, "erk has no density for a bias: prune-biases needs another allocation.")]
    public void Settings_that_exclude_each_other_are_refused(AllocationKind allocation, bool local, int minimum, bool biases, string message)
    {
        var pruning = new PruningParts { Allocation = allocation, Local = local, MinimumKept = minimum, Biases = biases };
        Assert.That(() => With(new Gmp { Pruning = pruning }).Validate(), Throws.TypeOf<UsageException>().With.Message.EqualTo(message));
        Assert.That(() => With(new OneShot { Pruning = pruning }).Validate(), Throws.TypeOf<UsageException>().With.Message.EqualTo(message));
    }

    [Test]
    public void Its_times_are_checked() =>
        Assert.That(() => With(new Gmp { Cuts = new() { Begin = 0.9 } }).Validate(), Throws.TypeOf<UsageException>().With.Message.EqualTo("prune-begin 0.9 is not before prune-end 0.8."));

    [TestCase(-0.1)]
    [TestCase(1)]
    [TestCase(double.NaN)]
    public void Its_sparsity_is_checked(double sparsity) =>
        Assert.That(() => With(new Gmp { Cuts = new() { Sparsity = sparsity } }).Validate(), Throws.TypeOf<UsageException>().With.Message.StartsWith("sparsity '"));
}
