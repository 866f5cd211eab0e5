using Asni.Methods;
using Asni.Networks;
using Asni.Pruning;
using Asni.Training;
using static Asni.Tests.Methods.MethodTests;

namespace Asni.Tests.Methods;

/// <summary>Methods that move the mask while they train.</summary>
public class ExchangeMethodTests
{
    private static IEnumerable<TestCaseData> ConstantMethods()
    {
        var start = new SparseStart { Sparsity = 0.7 };
        var none = new ExchangeSettings { Fraction = 0 };
        yield return Case("set", new SparseEvolution { Start = start }, new SparseEvolution { Start = start, Fraction = 0 });
        yield return Case("rigl", new Rigl { Start = start }, new Rigl { Start = start, Exchange = none });
        yield return Case("itop", new Itop { Start = start }, new Itop { Start = start, Exchange = none });
        yield return Case("itop, random", new Itop { Start = start, Growth = GrowthKind.Random }, new Itop { Start = start, Exchange = none });

        static TestCaseData Case(string name, Method moving, Method still) => new TestCaseData(moving, still).SetArgDisplayNames(name);
    }

    [TestCaseSource(nameof(ConstantMethods))]
    public void Each_layer_keeps_the_number_that_erk_gives_it_and_its_mask_moves(object moving, object still)
    {
        (RunResult result, RecordingObserver observer) = Run((Method)moving);
        PhaseResult phase = result.Phases.Single();
        Assert.That(observer.Epochs.Select(e => e.Kept), Is.All.EqualTo(Quota.At(0.7, Net.WeightCount)));
        Assert.That(phase.Top1, Is.GreaterThan(0.5), "chance is 0.25");
        PhaseResult without = Run((Method)still).Result.Phases.Single();
        foreach (Parameter p in Net.Weights)
        {
            Assert.That(phase.Initial.Masks[p.Index]?.Words.ToArray(), Is.EqualTo(without.Model.Masks[p.Index]?.Words.ToArray()), $"{p.Name}: a fraction of 0 moves nothing");
            Assert.That(phase.Model.Masks[p.Index]?.Live, Is.EqualTo(phase.Initial.Masks[p.Index]?.Live), p.Name);
            if (phase.Initial.Masks[p.Index] is { } mask) Assert.That(phase.Model.Masks[p.Index]!.Words.SequenceEqual(mask.Words), Is.False, $"{p.Name}: its mask has moved");
        }
    }

    [Test]
    public void A_fan_in_of_live_draws_each_units_weights_for_its_live_inputs()
    {
        TrainedNetwork all = Initial(FanIn.All), live = Initial(FanIn.Live);
        foreach (Parameter p in Net.Parameters)
        {
            var expected = (float[])all.Values[p.Index].Clone();
            if (all.Masks[p.Index] is { } mask)
            {
                int inputs = p.Filter.FanIn;
                for (int i = 0; i < expected.Length; i++)
                    expected[i] *= mask[i] ? MathF.Sqrt((float)inputs / Enumerable.Range(i - i % inputs, inputs).Count(k => mask[k])) : 1;
                Assert.That(live.Masks[p.Index]!.Words.SequenceEqual(mask.Words), p.Name);
                Assert.That(expected, Is.Not.EqualTo(all.Values[p.Index]), p.Name);
            }
            Assert.That(live.Values[p.Index], Is.EqualTo(expected).Within(1e-6), p.Name);
        }

        static TrainedNetwork Initial(FanIn fanIn) => Run(new SparseEvolution { Start = new SparseStart { Sparsity = 0.7, FanIn = fanIn } }).Result.Phases.Single().Initial;
    }

    [Test]
    public void Snfs_moves_weights_between_layers_and_keeps_the_number_of_all()
    {
        (RunResult result, RecordingObserver observer) = Run(new Snfs { Start = new SparseStart { Sparsity = 0.7, Allocation = AllocationKind.Uniform } });
        PhaseResult phase = result.Phases.Single();
        Assert.That(observer.Epochs.Select(e => e.Kept), Is.All.EqualTo(Quota.At(0.7, Net.WeightCount)));
        Assert.That(phase.Top1, Is.GreaterThan(0.5), "chance is 0.25");
        long[] first = [.. Net.Weights.Select(p => phase.Initial.Masks[p.Index]!.Live)], last = [.. Net.Weights.Select(p => phase.Model.Masks[p.Index]?.Live ?? p.Elements)];
        Assert.That(Net.Weights.Zip(first, (p, live) => (double)live / p.Elements), Is.All.EqualTo(0.3).Within(0.01), "the same density at first");
        Assert.That(last.Zip(first, (a, b) => Math.Abs(a - b)).Sum(), Is.GreaterThan(40));
    }

    [Test]
    public void Itop_says_how_many_weights_were_ever_live([Values] GrowthKind growth)
    {
        RecordingObserver observer = Run(new Itop { Growth = growth }).Observer;
        Assert.That(observer.Epochs.Select(e => e.EverLive), Is.Ordered.Ascending.And.All.InRange(0.1, 1));
        Assert.That(observer.Epochs[^1].EverLive, Is.GreaterThan(0.2));
        Assert.That(Run(new Rigl()).Observer.Epochs.Select(e => e.EverLive), Is.All.Null);
    }

    [TestCase(0.5, 0, 0.6875)]
    [TestCase(0, 0.2, 0.5)]
    [TestCase(0.9, 0, 1)]
    public void Granet_goes_from_its_start_to_exactly_what_was_asked(double start, double begin, double end)
    {
        var method = new Granet { StartSparsity = start, Begin = begin, PruneEnd = end };
        (RunResult result, RecordingObserver observer) = Run(method);
        PhaseResult phase = result.Phases.Single();
        Assert.That((Net.Weights.Sum(p => phase.Initial.Masks[p.Index]?.Live ?? p.Elements), phase.Kept), Is.EqualTo((Quota.At(start, Net.WeightCount), Quota.At(0.9, Net.WeightCount))));
        Assert.That(observer.Epochs.Select(e => e.Sparsity), Is.Ordered.Ascending);
        Assert.That(observer.Epochs.Where(e => e.Epoch + 1 >= 6 * end).Select(e => e.Kept), Is.All.EqualTo(phase.Kept));
        Func<int, double> planned = method.PlannedSparsity(With(method), "granet")!;
        // Cuts come every fourth step of 12.
        foreach (EpochRecord epoch in observer.Epochs) Assert.That(epoch.Sparsity, Is.EqualTo(planned(epoch.Epoch)).Within(0.05));
        if (start < 0.9) Assert.That(phase.Top1, Is.GreaterThan(0.5), "chance is 0.25");
    }

    [Test]
    public void Settings_of_granet_that_exclude_each_other_are_refused()
    {
        Assert.That(() => With(new Granet { Sparsity = 0.4 }).Validate(), Throws.TypeOf<UsageException>().With.Message.EqualTo("start-sparsity 0.5 is more than the final sparsity 0.4."));
        Assert.That(() => With(new Granet { Begin = 0.9 }).Validate(), Throws.TypeOf<UsageException>().With.Message.EqualTo("prune-begin 0.9 is not before prune-end 0.6875."));
    }

    /// <summary>Exchanges come before the end, at whole distances.</summary>
    [TestCase(72, 0.75, null, 4, 52)]
    [TestCase(20_000, 0.75, null, 100, 14_900)]
    [TestCase(20_000, 0.75, 4000, 4000, 12_000)]
    [TestCase(100, 1, 1, 1, 99)]
    [TestCase(8, 0.75, null, 4, 4)]
    [TestCase(10, 0.5, 100, 100, 0)]
    [TestCase(5, 0.75, null, 4, 0)]
    public void Exchanges_have_their_times(long steps, double end, int? every, int expectedEvery, long expectedLast)
    {
        var notes = new List<TrainingNote>();
        var cadence = new ExchangeSettings { End = end, EverySteps = every }.Cadence(steps, 100, notes.Add);
        Assert.That((cadence.EverySteps, cadence.First, cadence.Last), Is.EqualTo(((int?)expectedEvery, (long)expectedEvery, expectedLast)));
        Assert.That(notes, Has.Count.EqualTo(expectedLast == 0 ? 1 : 0), "only a run without any exchange is told");
    }

    [Test]
    public void An_exchange_of_rigl_at_every_step_is_refused() =>
        Assert.That(() => With(new Rigl { Exchange = new() { EverySteps = 1 } }).Validate(), Throws.TypeOf<UsageException>().With.Message.StartsWith("exchange-every 1 leaves no step"));
}
