using Asni.Cpu;
using Asni.Devices;
using Asni.Engine;
using Asni.Methods;
using Asni.Networks;
using Asni.Optimizers;
using Asni.Pruning;
using Asni.Tests.Devices;
using Asni.Tests.Engine;
using Asni.Tests.Methods;
using Asni.Training;
using Asni.Training.Policies;
using static Asni.Tests.Methods.MethodTests;

namespace Asni.Tests.Training.Policies;

/// <summary>Policies that train all weights of which some are marked.</summary>
public class MarkedWeightsTests
{
    private static readonly Method[] s_methods = [new SoftShrinkage(), new NetworkSurgery(), new TopKast()];

    [TestCaseSource(nameof(s_methods))]
    public void After_the_cut_exactly_K_live_and_before_it_all_are_trained(Method method)
    {
        (RunResult result, RecordingObserver observer) = Run(method);
        Assert.That(result.Phases.Single().Kept, Is.EqualTo(Quota.At(0.9, Net.WeightCount)));
        Assert.That(observer.Epochs[4].Kept, Is.EqualTo(Quota.At(0.9, Net.WeightCount)), "0.75 of 6 epochs");
        Assert.That(result.Phases[0].Top1, Is.GreaterThan(0.3), "chance is 0.25");
        if (method is SoftShrinkage) Assert.That(observer.Epochs[3].Kept, Is.EqualTo(Net.WeightCount));
        if (method is TopKast) Assert.That(observer.Epochs[3].Kept, Is.EqualTo(Quota.At(0.9, Net.WeightCount)));
    }

    /// <summary>The K = 2 largest stay bit for bit, the others are multiplied by r.</summary>
    [TestCase(1, 0.5f, 0.1f)]
    [TestCase(0.5, 0.25f, 0.05f)]
    [TestCase(0, 0, 0)]
    public void The_smallest_shrink(double ratio, float third, float fourth) =>
        Assert.That(Shrunk([0.6f, -2, 0.5f, 0.1f], ratio), Is.EqualTo((float[])[0.6f, -2, third, fourth]));

    [Test]
    public void Shrinking_by_1_is_dense_training_until_the_cut()
    {
        using var device = new CpuDevice(2);
        using var run = new MethodRun(With(new DenseTraining()), Net, MethodTests.Data, device, new RecordingObserver());
        Pruner pruner() => new(run.Model, new Magnitude(), new Pooled());
        long steps = (long)run.Recipe.Epochs * run.StepsPerEpoch;
        TrainedNetwork shrunk = run.Train(DenseTraining.Phase(run.Recipe), new Shrinkage(run.Model, pruner(), 0.9, ratio: 1, last: steps, _ => { }), DenseTraining.Stream).Model;
        run.Model.Load(Run(new DenseTraining()).Result.Phases[0].Model);
        pruner().PruneTo(0.9, _ => { });
        Assert.That(shrunk.ComputeSha256(), Is.EqualTo(run.Model.TakeSnapshot().ComputeSha256()));
    }

    /// <summary>Both keep the K largest after each step and move all weights in the next; one computes with masks, which round otherwise.</summary>
    [Test]
    public void Shrinking_to_0_is_iterative_hard_thresholding()
    {
        const double Sparsity = 0.7;
        TrainedNetwork shrunk = Trained((pruner, last) => new Shrinkage(pruner.Model, pruner.Pruner, Sparsity, ratio: 0, last, _ => { }));
        TrainedNetwork thresholded = Trained((pruner, last) => new HardThresholding(pruner.Pruner, Sparsity, new Cadence(1, 1, last), _ => { }));
        foreach (Parameter p in Net.Weights)
        {
            Assert.That(shrunk.Masks[p.Index]!.Words.ToArray(), Is.EqualTo(thresholded.Masks[p.Index]!.Words.ToArray()), p.Name);
            Outputs.AssertClose(thresholded.Values[p.Index], shrunk.Values[p.Index], 1e-5, 1e-4, p.Name);
        }

        static TrainedNetwork Trained(Func<(Model Model, Pruner Pruner), long, IMaskPolicy> policy)
        {
            using var device = new CpuDevice(1);
            Recipe recipe = With(new DenseTraining()) with { Epochs = 1, Optimizer = new OptimizerSettings { Kind = OptimizerKind.Sgd } };
            using var run = new MethodRun(recipe, Net, MethodTests.Data, device, new RecordingObserver());
            return run.Train(DenseTraining.Phase(recipe), policy((run.Model, new Pruner(run.Model, new Magnitude(), new Pooled())), run.StepsPerEpoch), DenseTraining.Stream).Model;
        }
    }

    /// <summary>a and b are 0.9 and 1.1 times the third largest magnitude.</summary>
    [Test]
    public void Surgery_takes_marks_below_the_borders_and_gives_them_back_above()
    {
        using var device = new CpuDevice(1);
        using var model = new Model(TinyNetworks.Linear(6, 1), device);
        var policy = new Surgery(model, new Pruner(model, new Magnitude(), new Pooled()), 0.5, last: 9, seed: 1, (0, 1), _ => { });
        Assert.That(Marks(1, [1, -1.2f, 0.95f, 0.8f, 0.2f, 1.05f]), Is.EqualTo((float[])[1, 1, 1, 0, 0, 1]));
        Assert.That(Marks(2, [1, -1.2f, 0.95f, 1, 1.3f, 1.05f]), Is.EqualTo((float[])[1, 1, 1, 0, 1, 1]), "the fourth is between the borders");

        float[] Marks(int step, float[] weights)
        {
            model.Parameters.Upload(0, ParameterSlot.Value, weights);
            policy.BeforeStep(new StepPoint(0, step, 10, 1));
            Assert.That(Workbench.Read(model.Parameters, 0, ParameterSlot.Value), Is.EqualTo(weights.Zip(Workbench.Read(model.Parameters, 0, ParameterSlot.Gate), (w, mark) => w * mark)));
            policy.AfterBackward(new StepPoint(0, step, 10, 1));
            return Workbench.Read(model.Parameters, 0, ParameterSlot.Gate);
        }
    }

    [TestCase(OptimizerKind.Sgd)]
    [TestCase(OptimizerKind.Nesterov)]
    [TestCase(OptimizerKind.Adam)]
    public void What_is_not_updated_keeps_its_bits_and_what_is_computed_with_is_updated(OptimizerKind kind)
    {
        using var device = new CpuDevice(2);
        Recipe recipe = With(new TopKast()) with { Optimizer = new OptimizerSettings { Kind = kind, WeightDecay = 1e-3 } };
        using var run = new MethodRun(recipe, Net, MethodTests.Data, device, new RecordingObserver());
        var pruner = new Pruner(run.Model, new Magnitude(), new Uniform());
        var watcher = new Watcher(run.Model, new TwoSets(run.Model, pruner, 0.9, 0.8, 0.1, 70, _ => { }));
        run.Train(new PhasePlan("topkast", 2, recipe.LearningRate), watcher);
        Assert.That(watcher.Steps, Is.EqualTo(24));
    }

    [Test]
    public void What_is_computed_with_has_to_be_updated()
    {
        Recipe few = With(new TopKast { Backward = 0.95 });
        Assert.That(() => few.Method.Validate(few), Throws.TypeOf<UsageException>().With.Message.Contains("is above the sparsity"));
    }

    /// <summary>Groups of four along the inputs, 2 of each marked; without lambda it is the plain estimator.</summary>
    [TestCase(0)]
    [TestCase(0.5)]
    public void What_is_left_out_has_the_gradient_of_what_is_computed_with_and_decays(double lambda)
    {
        using var device = new CpuDevice(1);
        Network net = TinyNetworks.Linear(4, 1, 1, 2);
        using var model = new Model(net, device);
        Parameter p = net.Weights.First(w => w.Elements == 4);
        model.Parameters.Upload(p.Index, ParameterSlot.Value, [0.3f, -0.1f, 0.05f, -0.4f]);
        Pruner pruner = new PruningParts { Pattern = WeightPattern.Parse("2:4") }.CreatePruner(model, seed: 1);
        var policy = new RefinedMarks(model, pruner, 0.5, lambda, last: 9, _ => { });
        policy.BeforeStep(new StepPoint(0, 1, 10, 1));
        Assert.That(Workbench.Read(model.Parameters, p.Index, ParameterSlot.Value), Is.EqualTo((float[])[0.3f, 0, 0, -0.4f]));
        model.Parameters.Upload(p.Index, ParameterSlot.Gradient, [1, 2, 3, 4]);
        policy.AfterBackward(new StepPoint(0, 1, 10, 1));
        float decay = (float)lambda;
        Assert.That(Workbench.Read(model.Parameters, p.Index, ParameterSlot.Gradient), Is.EqualTo((float[])[1, 2 + decay * -0.1f, 3 + decay * 0.05f, 4]).Within(1e-6f));
        Assert.That(Workbench.Read(model.Parameters, p.Index, ParameterSlot.Value), Is.EqualTo((float[])[0.3f, -0.1f, 0.05f, -0.4f]));
    }

    [Test]
    public void Refined_marks_of_4_of_4_are_dense_training_and_2_of_4_end_so()
    {
        using var device = new CpuDevice(2);
        using var run = new MethodRun(With(new DenseTraining()), Net, MethodTests.Data, device, new RecordingObserver());
        Pruner pruner = new PruningParts { Pattern = WeightPattern.Parse("4:4") }.CreatePruner(run.Model, seed: 1);
        PhaseResult all = run.Train(DenseTraining.Phase(run.Recipe), new RefinedMarks(run.Model, pruner, 0, 1, last: 72, _ => { }), DenseTraining.Stream);
        Assert.That(all.Model.ComputeSha256(), Is.EqualTo(Run(new DenseTraining()).Result.Phases[0].Model.ComputeSha256()));
        var method = new SparseRefined();
        PhaseResult half = Run(method).Result.Phases.Single();
        Assert.That(half.Sparsity, Is.EqualTo(method.FinalSparsity(With(method), Net)!.Value).Within(1e-9));
        Assert.That(half.Top1, Is.GreaterThan(0.5));
        Recipe blocks = With(new SparseRefined { Pruning = new() { Pattern = WeightPattern.Parse("block4x1") } });
        Assert.That(() => blocks.Method.Validate(blocks), Throws.TypeOf<UsageException>().With.Message.Contains("needs a pattern N:M"));
    }

    private static float[] Shrunk(float[] weights, double ratio)
    {
        using var device = new CpuDevice(1);
        Network net = TinyNetworks.Linear(4, 1, 1, 2);
        using var model = new Model(net, device);
        Parameter p = net.Weights.First(w => w.Elements == 4);
        model.Parameters.Upload(p.Index, ParameterSlot.Value, weights);
        var pruner = new Pruner(model, new Magnitude(), new Uniform());
        var policy = new Shrinkage(model, pruner, 0.5, ratio, last: 9, _ => { });
        policy.AfterStep(new StepPoint(0, 1, 10, 1));
        Assert.That(model.Parameters.GetMask(p.Index), Is.Null);
        return Workbench.Read(model.Parameters, p.Index, ParameterSlot.Value);
    }

    /// <summary>Compares weights before and after each update.</summary>
    private sealed class Watcher(Model model, TwoSets sets) : IMaskPolicy
    {
        private float[][] _before = [];

        public int Steps { get; private set; }

        public StepNeeds BeforeStep(in StepPoint at)
        {
            _before = Values();
            return sets.BeforeStep(at);
        }

        public void AfterBackward(in StepPoint at)
        {
            sets.AfterBackward(at);
            Assert.That(Values(), Is.EqualTo(_before), "values are the weights again");
        }

        public PruneOutcome? AfterStep(in StepPoint at)
        {
            sets.AfterStep(at);
            float[][] after = Values();
            for (int k = 0; k < after.Length; k++)
            {
                Parameter p = model.Network.Weights.ElementAt(k);
                float[] a = Workbench.Read(model.Parameters, p.Index, ParameterSlot.GateState0), b = Workbench.Read(model.Parameters, p.Index, ParameterSlot.GateState1);
                Assert.That((a.Sum(), b.Sum()), Is.EqualTo(((float)Quota.At(0.9, p.Elements), (float)Quota.At(0.8, p.Elements))));
                for (int i = 0; i < a.Length; i++)
                {
                    Assert.That(a[i], Is.LessThanOrEqualTo(b[i]));
                    if (b[i] == 0) Assert.That(BitConverter.SingleToUInt32Bits(after[k][i]), Is.EqualTo(BitConverter.SingleToUInt32Bits(_before[k][i])));
                    else Assert.That(after[k][i], Is.Not.EqualTo(_before[k][i]), "the penalty moves it at least");
                }
            }
            Steps++;
            return null;
        }

        public PruneOutcome? BetweenEpochs(in StepPoint at) => null;

        private float[][] Values() => [.. model.Network.Weights.Select(p => Workbench.Read(model.Parameters, p.Index, ParameterSlot.Value))];
    }
}
