using Asni.Cpu;
using Asni.Methods;
using Asni.Networks;
using Asni.Optimizers;
using Asni.Pruning;
using Asni.Training;
using static Asni.Tests.Methods.MethodTests;

namespace Asni.Tests.Methods;

/// <summary>Methods that train with a penalty, cut and train again.</summary>
public class PenaltyMethodTests
{
    private static readonly long s_kept = Quota.At(0.9, Net.WeightCount);

    private static IEnumerable<TestCaseData> Penalties()
    {
        foreach (double factor in (double[])[0.1, 1, 30])
        {
            yield return new TestCaseData(new Proximal { Lambda = 1e-3 * factor }).SetArgDisplayNames($"proximal, {factor}");
            yield return new TestCaseData(new Lobster { Below = 0.01 * factor }).SetArgDisplayNames($"lobster, {factor}");
            yield return new TestCaseData(new Lobster { Below = 0.01 * factor, Sensitivity = SensitivityKind.Logit }).SetArgDisplayNames($"lobster by logits, {factor}");
            yield return new TestCaseData(new AdmmPruning { Rho = 1e-2 * factor }).SetArgDisplayNames($"admm, {factor}");
        }
    }

    /// <summary>Whether the penalty has left fewer weights or more.</summary>
    [TestCaseSource(nameof(Penalties))]
    public void An_exact_finish_keeps_exactly_K_and_pruned_weights_stay_0(object method)
    {
        RunResult result = Run((Method)method).Result;
        Assert.That(result.Phases.Select(p => p.Phase), Is.EqualTo((string[])["learned", ((Method)method).Name]));
        PhaseResult last = result.Phases[^1];
        Assert.That(last.Kept, Is.EqualTo(s_kept));
        foreach (Parameter p in Net.Weights)
            Assert.That(last.Model.Values[p.Index].Where((_, i) => !last.Model.Masks[p.Index]![i]).Select(BitConverter.SingleToUInt32Bits), Is.All.Zero);
        Assert.That(last.Top1, Is.GreaterThan(0.3), "chance is 0.25");
    }

    [Test]
    public void A_finish_as_reached_keeps_what_is_not_0_the_fewer_the_larger_the_penalty()
    {
        long[] kept = [.. ((double[])[1e-2, 3e-2, 0.1]).Select(lambda =>
        {
            var method = new Proximal { Lambda = lambda, Finish = new() { Kind = FinishKind.Learned } };
            Assert.That(method.FinalSparsity(With(method)), Is.Null);
            RunResult result = Run(method).Result;
            PhaseResult penalized = result.Phases[0];
            Assert.That(penalized.Kept, Is.EqualTo(Net.Weights.Sum(p => penalized.Model.Values[p.Index].Count(w => w != 0))).And.EqualTo(result.Phases[1].Kept));
            return penalized.Kept;
        })];
        Assert.That(kept, Is.Ordered.Descending.And.All.InRange(1, Net.WeightCount - 1));
    }

    [Test]
    public void Without_penalty_the_first_phase_is_dense_training()
    {
        using var device = new CpuDevice(2);
        using var run = new MethodRun(With(new Proximal()), Net, MethodTests.Data, device, new RecordingObserver());
        PhaseResult dense = run.Train(SparseFinish.Learning(run.Recipe));
        foreach (Method method in (Method[])[new Proximal { Lambda = 0 }, new Lobster { Lambda = 0, Below = 0 }, new Lobster { Lambda = 0, Below = 0, Sensitivity = SensitivityKind.Logit }, new AdmmPruning { Rho = 0 }, new AdmmPruning { Rho = 9, Begin = 0.999 }])
            Assert.That(Run(method).Result.Phases[0].Model.ComputeSha256(), Is.EqualTo(dense.Model.ComputeSha256()), method.Name);
    }

    [Test]
    public void Admm_draws_all_but_K_weights_to_0()
    {
        float[] weak = Ascending(1e-4), strong = Ascending(0.3);
        Assert.That(strong[^((int)s_kept + 1)], Is.LessThan(weak[^((int)s_kept + 1)] / 2), "the largest magnitude that the cut takes");

        static float[] Ascending(double rho)
        {
            TrainedNetwork model = Run(new AdmmPruning { Rho = rho, EverySteps = 3 }).Result.Phases[0].Model;
            return [.. Net.Weights.SelectMany(p => model.Values[p.Index]).Select(MathF.Abs).Order()];
        }
    }

    [Test]
    public void Admm_has_no_other_finish() =>
        Assert.That(() => With(new AdmmPruning { Finish = new() { Kind = FinishKind.Learned } }).Validate(), Throws.TypeOf<UsageException>().With.Message.EqualTo("admm finishes exactly at its sparsity."));

    [Test]
    public void A_lobster_that_would_turn_weights_over_is_refused() =>
        Assert.That(() => With(new Lobster { Lambda = 1.5 }).Validate(), Throws.TypeOf<UsageException>().With.Message.StartsWith("lambda 1.5 of lobster is above 1"));
}
