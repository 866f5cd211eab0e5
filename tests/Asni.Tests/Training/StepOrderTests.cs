using System.Reflection;
using Asni.Cpu;
using Asni.Cpu.Sparse;
using Asni.Data;
using Asni.Devices;
using Asni.Engine;
using Asni.Methods;
using Asni.Networks;
using Asni.Optimizers;
using Asni.Pruning;
using Asni.Tensors;
using Asni.Tests.Devices;
using Asni.Tests.Methods;
using Asni.Training;
using Asni.Training.Policies;

namespace Asni.Tests.Training;

public class StepOrderTests
{
    // Without it a network this small computes all gradients, whatever is asked.
    [SetUp]
    public void ForceSparsePaths() => SparsePath.Forced = true;

    [TearDown]
    public void LetThePlanChoose() => SparsePath.Forced = null;

    /// <summary>What comes in which order inside a step is told at one place, IMaskPolicy, and checked here.</summary>
    [Test]
    public void A_step_computes_gradients_then_updates_or_not_and_then_asks_its_policy()
    {
        using var device = new CpuDevice(1);
        using var model = new Model(MethodTests.Net, device);
        model.Load(MethodRunner.CreateInitialWeights(MethodTests.Net, 1));
        foreach (Parameter p in MethodTests.Net.Weights) model.Parameters.SetMask(p.Index, Values.Mask(3, p.Elements, 0.1));
        var observer = new RecordingObserver();
        using var trainer = new Trainer(model, MethodTests.Data, 50, Augmentation.None, 0, observer);
        var policy = new Watcher(model);
        Recipe recipe = MethodTests.With(new DenseTraining());
        new Phase("watched", 1, recipe, trainer, observer) { Policy = policy }.Run(2, recipe.LearningRate, default);
        Assert.That(policy.Log, Has.Count.EqualTo(2 * 12 + 4));
        for (int i = 0; i < 12; i++)
        {
            int step = i + 1;
            Assert.That(policy.Log[i], Is.EqualTo($"0.{step}: gradient {(step % 3 == 0 ? "dense" : "live")}, {(step % 4 == 0 ? "not updated" : "updated")}"));
        }
        Assert.That(policy.Log[12..15], Is.EqualTo((string[])["before evaluation", "after evaluation", "0.12: between epochs"]));
        Assert.That(policy.Log[15], Does.StartWith("1.1:"));
        Assert.That(policy.Log[^1], Is.EqualTo("finish"), "what is delivered is evaluated as it is");
        Assert.That(observer.Epochs[^1].TestLoss, Is.EqualTo(trainer.Evaluate().Loss));
    }

    /// <summary>A method of another signature than the interface's would never be called, and the interface's own would do nothing in its place.</summary>
    [Test]
    public void No_policy_has_a_method_that_only_looks_like_the_interfaces()
    {
        const BindingFlags any = BindingFlags.Instance | BindingFlags.Public | BindingFlags.NonPublic;
        foreach (Type policy in typeof(IMaskPolicy).Assembly.GetTypes().Where(t => t.IsAssignableTo(typeof(IMaskPolicy)) && !t.IsInterface && !t.IsAbstract))
            foreach (MethodInfo left in policy.GetInterfaceMap(typeof(IMaskPolicy)).TargetMethods.Where(m => m.DeclaringType == typeof(IMaskPolicy)))
            {
                Assert.That(policy.GetMethods(any).Select(m => m.Name), Does.Not.Contain(left.Name), policy.Name);
                Assert.That(policy, Is.Not.EqualTo(typeof(PolicySequence)), $"does not forward {left.Name}");
            }
    }

    private sealed class Watcher(Model model) : IMaskPolicy
    {
        private float[] _before = [];

        public List<string> Log { get; } = [];

        public StepNeeds BeforeStep(in StepPoint at)
        {
            _before = Read(ParameterSlot.Value);
            foreach (Parameter p in model.Network.Weights) model.Parameters.Upload(p.Index, ParameterSlot.Gradient, Values.Constant(p.Elements, float.NaN));
            return new StepNeeds(DenseGradient: at.Step % 3 == 0, ReplacesUpdate: at.Step % 4 == 0);
        }

        public void AfterBackward(in StepPoint at) => Assert.That(Read(ParameterSlot.Value), Is.EqualTo(_before), "comes before the update");

        public void BeforeEvaluation(in StepPoint at) => Log.Add("before evaluation");

        public void AfterEvaluation() => Log.Add("after evaluation");

        public PruneOutcome? Finish(in StepPoint at)
        {
            Log.Add("finish");
            foreach (Parameter p in model.Network.Weights) model.Parameters.Upload(p.Index, ParameterSlot.Value, new float[p.Elements]);
            return new PruneOutcome(null, model.Kept);
        }

        public PruneOutcome? AfterStep(in StepPoint at)
        {
            string gradient = Read(ParameterSlot.Gradient).Any(float.IsNaN) ? "live" : "dense";
            Log.Add($"{at.Epoch}.{at.Step}: gradient {gradient}, {(Read(ParameterSlot.Value).SequenceEqual(_before) ? "not updated" : "updated")}");
            return null;
        }

        public PruneOutcome? BetweenEpochs(in StepPoint at)
        {
            Log.Add($"{at.Epoch}.{at.Step}: between epochs");
            return null;
        }

        private float[] Read(ParameterSlot slot) => [.. model.Network.Weights.SelectMany(p => Workbench.Read(model.Parameters, p.Index, slot))];
    }
}
