using Asni.Cpu;
using Asni.Devices;
using Asni.Engine;
using Asni.Methods;
using Asni.Networks;
using Asni.Optimizers;
using Asni.Pruning;
using Asni.Tensors;
using Asni.Tests.Engine;
using Asni.Training;
using Asni.Training.Policies;
using static Asni.Tests.Methods.MethodTests;

namespace Asni.Tests.Methods;

/// <summary>Methods by which a network computes with functions of its weights, and of gates beside them.</summary>
public class MaskLearningTests
{
    private static readonly long s_all = Net.WeightCount;

    private static readonly Method[] s_methods =
    [
        new Powerpropagation { Finish = new() { Sparsity = 0.8 } },
        new SoftThresholdReparameterization { Finish = new() { Sparsity = 0.8 } },
        new ContinuousSparsification { Finish = new() { Sparsity = 0.8 }, Rounds = 2 },
        new Espn { Sparsity = 0.8 },
        new HardConcreteGates { Finish = new() { Sparsity = 0.8 } },
        new VariationalDropout { Finish = new() { Sparsity = 0.8 } },
    ];

    [TestCaseSource(nameof(s_methods))]
    public void Exactly_K_weights_are_left_and_the_others_are_0(Method method)
    {
        (RunResult result, RecordingObserver observer) = Run(method);
        PhaseResult last = result.Phases[^1];
        Assert.That(last.Kept, Is.EqualTo(Quota.At(0.8, s_all)));
        foreach (Parameter p in Net.Weights)
            Assert.That(last.Model.Values[p.Index].Where((_, i) => last.Model.Masks[p.Index]?[i] == false).Select(BitConverter.SingleToUInt32Bits), Is.All.Zero);
        Assert.That(last.Top1, Is.GreaterThan(0.35), "chance is 0.25");
        Assert.That(observer.Epochs.Last(e => e.Phase == last.Phase).TestLoss, Is.EqualTo(last.TestLoss));
    }

    [TestCase(typeof(Powerpropagation))]
    [TestCase(typeof(Espn))]
    [TestCase(typeof(Proximal))]
    [TestCase(typeof(ContinuousSparsification))]
    public void Layers_that_it_leaves_close_to_empty_are_told_of_once(Type type)
    {
        const double Sparsity = 0.99;
        Method method = type.Name switch
        {
            nameof(Powerpropagation) => new Powerpropagation { Finish = new() { Sparsity = Sparsity } },
            nameof(ContinuousSparsification) => new ContinuousSparsification { Finish = new() { Kind = FinishKind.Learned }, Rounds = 1, Initial = -10 },
            nameof(Espn) => new Espn { Sparsity = Sparsity },
            _ => new Proximal { Finish = new() { Sparsity = Sparsity } },
        };
        (RunResult result, RecordingObserver observer) = Run(method);
        Parameter[] sparse = [.. Net.Weights.Where(p => result.Phases[^1].Model.Masks[p.Index]!.Live < p.Filter.Out)];
        Assert.That(sparse, Is.Not.Empty);
        Assert.That(observer.Notes.Where(n => n.StartsWith("layer ", StringComparison.Ordinal)).Select(n => n.Split(' ')[1]), Is.EquivalentTo(sparse.Select(p => p.Name)));
    }

    /// <summary>What is evaluated at a phase's end is what it delivers.</summary>
    [TestCaseSource(nameof(s_methods))]
    public void The_delivered_network_has_the_accuracy_that_is_told(Method method)
    {
        foreach (PhaseResult phase in Run(method).Result.Phases)
        {
            using var device = new CpuDevice(2);
            using var model = new Model(Net, device);
            model.Load(phase.Model);
            using var evaluator = new Evaluator(model, MethodTests.Data.Test, 50);
            Assert.That(evaluator.Evaluate().Loss, Is.EqualTo(phase.TestLoss).Within(1e-12), phase.Phase);
        }
    }

    [Test]
    public void Powers_of_1_are_dense_training_bit_for_bit()
    {
        TrainedNetwork dense = Run(new DenseTraining()).Result.Phases[0].Model;
        // The order of the data hangs on the phase's name, so the policy is given to that of dense training.
        using var device = new CpuDevice(2);
        using var run = new MethodRun(With(new DenseTraining()), Net, MethodTests.Data, device, new RecordingObserver());
        var weights = new PoweredWeights(run.Model, 1, s_all, _ => { });
        weights.Begin();
        PhaseResult powered = run.Train(DenseTraining.Phase(run.Recipe), weights, DenseTraining.Stream);
        Assert.That(powered.Model.ComputeSha256(), Is.EqualTo(dense.ComputeSha256()));
    }

    [Test]
    public void Powers_begin_with_the_usual_initial_weights()
    {
        using var device = new CpuDevice(2);
        using var run = new MethodRun(With(new Powerpropagation()), Net, MethodTests.Data, device, new RecordingObserver());
        float[] initial = run.Initial.Values[0];
        var weights = new PoweredWeights(run.Model, 2, s_all, _ => { });
        weights.Begin();
        weights.BeforeEvaluation(default);
        float[] values = run.Model.TakeSnapshot().Values[0];
        Assert.That(values.Zip(initial, (a, b) => Math.Abs(a - b)).Max(), Is.LessThan(1e-6));
        Assert.That(initial.Max(MathF.Abs), Is.GreaterThan(0.01));
    }

    /// <summary>Thresholds begin to prune at the onset, and rise from there.</summary>
    /// <summary>Kusupati et al. 2020: s = -5, w = (.5, -.004, .02) and a gradient of (1, 1, -2) of v give s a gradient of .006648; s decays and has momentum as weights do.</summary>
    [Test]
    public void A_threshold_moves_by_hand()
    {
        using var device = new CpuDevice(1);
        using var model = new Model(TinyNetworks.Linear(3, 1), device);
        foreach ((float decay, float momentum) in ((float, float)[])[(0, 0), (0.1f, 0.5f)])
        {
            var policy = new ThresholdedWeights(model, initial: -5, _ => new UpdateRule(UpdateKind.Sgd, 2, decay, false, momentum, false, 0, 0, 0, 1), kept: null, _ => { });
            Step();
            double first = 0.006648 - decay * 5;
            Assert.That(Threshold(), Is.EqualTo(-5 - 2 * first).Within(3e-6));
            if (decay == 0) continue;
            double s = Threshold(), p = 1 / (1 + Math.Exp(-s)), second = p * (1 - p) + decay * s;
            Step();
            Assert.That(Threshold(), Is.EqualTo(s - 2 * (second + momentum * first)).Within(1e-5));

            void Step()
            {
                model.Parameters.Upload(0, ParameterSlot.Value, [0.5f, -0.004f, 0.02f]);
                policy.BeforeStep(new StepPoint(0, 1, 10, 1));
                model.Parameters.Upload(0, ParameterSlot.Gradient, [1, 1, -2]);
                policy.AfterBackward(new StepPoint(0, 1, 10, 1));
            }

            double Threshold() => policy.Save().Tensor("threshold", 1)[0];
        }
    }

    [Test]
    public void Soft_thresholds_prune_from_the_onset_on_and_learn_a_sparsity()
    {
        var method = new SoftThresholdReparameterization { Finish = new() { Kind = FinishKind.Learned }, Onset = 0.3, ThresholdDecay = 0.2 };
        Recipe recipe = With(method) with { Epochs = 24, LearningRate = new LearningRate { Initial = 0.2 }, Optimizer = new OptimizerSettings { Kind = OptimizerKind.Sgd } };
        using var device = new CpuDevice(2);
        var observer = new RecordingObserver();
        RunResult result = MethodRunner.Run(recipe, Net, MethodTests.Data, device, observer);
        double[] sparsity = [.. observer.Epochs.Where(e => e.Phase == "learned").Select(e => e.Sparsity)];
        Assert.That(sparsity[..7], Is.All.LessThan(0.02), "before the onset");
        Assert.That(sparsity, Is.Ordered.Ascending);
        Assert.That(sparsity[^1], Is.GreaterThan(0.7));
        Assert.That(result.Phases[0].Kept, Is.EqualTo(result.Phases[1].Kept).And.LessThan(s_all / 3));
        Assert.That(result.Phases[1].Top1, Is.GreaterThan(0.5));
    }

    [Test]
    public void Soft_thresholds_that_would_begin_beyond_what_float_holds_are_refused() =>
        Assert.That(() => Run(new SoftThresholdReparameterization { ThresholdDecay = 100, Onset = 0.9 }), Throws.TypeOf<UsageException>().With.Message.Contains("is too large for an onset after 0.9"));

    [Test]
    public void Soft_thresholds_need_an_optimizer_whose_decay_moves_them()
    {
        Recipe adam = With(new SoftThresholdReparameterization()) with { Optimizer = new OptimizerSettings { Kind = OptimizerKind.Adam } };
        Assert.That(() => adam.Method.Validate(adam), Throws.TypeOf<UsageException>().With.Message.Contains("adam makes all steps alike"));
    }

    /// <summary>A round ends after its evaluation: what is open then is counted, and the next round begins with gates of at most s0.</summary>
    [Test]
    public void Rounds_of_gates_go_on_where_the_last_one_ended()
    {
        (_, RecordingObserver observer) = Run(new ContinuousSparsification { Finish = new() { Sparsity = 0.8 }, Rounds = 2 });
        EpochRecord[] epochs = [.. observer.Epochs.Where(e => e.Phase == "cs-gates")];
        Assert.That(epochs, Has.Length.EqualTo(12));
        Assert.That(epochs[5].Kept, Is.GreaterThan(s_all / 10));
        Assert.That(epochs[6].Kept, Is.LessThanOrEqualTo(epochs[5].Kept), "what was closed stays nearly closed");
    }

    [Test]
    public void Open_gates_go_back_to_the_weights_of_the_early_epoch()
    {
        var method = new ContinuousSparsification { Finish = new() { Sparsity = 0.8 }, Rounds = 1, RewindEpoch = 0 };
        RunResult result = Run(method).Result;
        TrainedNetwork fresh = MethodRunner.CreateInitialWeights(Net, 3);
        foreach (Parameter p in Net.Parameters)
            for (int i = 0; i < p.Elements; i++)
                Assert.That(result.Phases[1].Initial.Values[p.Index][i], Is.EqualTo(result.Phases[1].Initial.Masks[p.Index]?[i] == false ? 0 : fresh.Values[p.Index][i]));
    }

    [Test]
    public void A_learned_finish_follows_the_gates()
    {
        RunResult open = Run(new ContinuousSparsification { Finish = new() { Kind = FinishKind.Learned }, Rounds = 1, Initial = 0.2 }).Result;
        RunResult closed = Run(new ContinuousSparsification { Finish = new() { Kind = FinishKind.Learned }, Rounds = 1, Initial = -0.02 }).Result;
        Assert.That(closed.Phases[0].Kept, Is.GreaterThan(0).And.LessThan(open.Phases[0].Kept));
        Assert.That(open.Phases[0].Kept, Is.GreaterThan(s_all / 2).And.EqualTo(open.Phases[1].Kept));
    }

    /// <summary>A penalty that closes most factors at once cuts after three epochs; none waits for the latest time.</summary>
    [TestCase(0.5, 0.9, 3)]
    [TestCase(0, 0.5, 3)]
    public void Factors_are_cut_when_few_are_large_or_at_the_latest_time(double penalty, double latest, int epoch)
    {
        (RunResult result, RecordingObserver observer) = Run(new Espn { Sparsity = 0.5, Penalty = penalty, Latest = latest });
        long kept = Quota.At(0.5, s_all);
        Assert.That(observer.Epochs.Skip(epoch).Select(e => e.Kept), Is.All.EqualTo(kept));
        Assert.That(observer.Epochs.Take(epoch).Last().Kept, penalty == 0 ? Is.GreaterThan(kept) : Is.LessThanOrEqualTo(kept));
        Assert.That(result.Phases.Single().Kept, Is.EqualTo(kept));
    }

    [Test]
    public void More_penalty_closes_more_gates()
    {
        long[] kept = [.. ((double[])[0, 2]).Select(p => Run(new HardConcreteGates { Finish = new() { Kind = FinishKind.Learned }, Penalty = p }).Result.Phases[0].Kept)];
        Assert.That(kept[0], Is.EqualTo(s_all));
        Assert.That(kept[1], Is.LessThan(s_all / 2));
    }

    [Test]
    public void A_stronger_prior_makes_more_weights_noise()
    {
        long[] kept = [.. ((double[])[0, 10]).Select(Kept)];
        Assert.That(kept[1], Is.LessThan(kept[0] / 2));

        static long Kept(double factor)
        {
            using var device = new CpuDevice(2);
            Recipe recipe = With(new VariationalDropout { Finish = new() { Kind = FinishKind.Learned }, Factor = factor }) with { Optimizer = new OptimizerSettings { Kind = OptimizerKind.Adam }, LearningRate = new LearningRate { Initial = 0.1 } };
            return MethodRunner.Run(recipe, Net, MethodTests.Data, device).Phases[0].Kept;
        }
    }
}
