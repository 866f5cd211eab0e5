using Asni.Cpu;
using Asni.Methods;
using Asni.Networks;
using Asni.Optimizers;
using Asni.Pruning;
using Asni.Training;
using static Asni.Tests.Methods.MethodTests;

namespace Asni.Tests.Methods;

public class IhtTests
{
    private static readonly long s_kept = Quota.At(0.9, Net.WeightCount);

    /// <summary>72 steps, 12 an epoch.</summary>
    [TestCase(0, 1, 0)]
    [TestCase(0.5, 1, 2)]
    [TestCase(0, 7, 4)]
    [TestCase(0.99, 50, 5)]
    public void Exactly_K_weights_are_left_whenever_it_cuts(double begin, int every, int dense)
    {
        (RunResult result, RecordingObserver observer) = Run(new Iht { Begin = begin, EverySteps = every });
        PhaseResult phase = result.Phases.Single();
        Assert.That((phase.Phase, phase.Kept), Is.EqualTo(("iht", s_kept)));
        Assert.That(observer.Epochs.Count(e => e.Kept == Net.WeightCount), Is.EqualTo(dense));
        Assert.That(observer.Epochs.Count(e => e.Kept == s_kept), Is.EqualTo(6 - dense));
        foreach (Parameter p in Net.Weights)
            Assert.That(phase.Model.Values[p.Index].Where((_, i) => !phase.Model.Masks[p.Index]![i]).Select(BitConverter.SingleToUInt32Bits), Is.All.Zero);
        if (begin < 0.9) Assert.That(phase.Top1, Is.GreaterThan(begin > 0 ? 0.5 : 0.3), "chance is 0.25");
    }

    [Test]
    public void Even_one_step_leaves_a_sparse_network()
    {
        using var device = new CpuDevice(1);
        Recipe recipe = With(new Iht { Begin = 0.9 }) with { Epochs = 1, BatchSize = 600 };
        Assert.That(MethodRunner.Run(recipe, Net, MethodTests.Data, device).Phases.Single().Kept, Is.EqualTo(s_kept));
    }

    /// <summary>Without sparsity it is training as usual.</summary>
    [Test]
    public void K_equal_to_N_is_dense_training()
    {
        Recipe recipe = With(new Iht { Sparsity = 0 }) with { Optimizer = new OptimizerSettings { Kind = OptimizerKind.Sgd } };
        using var device = new CpuDevice(2);
        using var run = new MethodRun(recipe, Net, MethodTests.Data, device, new RecordingObserver());
        PhaseResult dense = run.Train(new PhasePlan("iht", 6, recipe.LearningRate));
        Assert.That(MethodRunner.Run(recipe, Net, MethodTests.Data, device).Phases.Single().Model.ComputeSha256(), Is.EqualTo(dense.Model.ComputeSha256()));
    }
}
