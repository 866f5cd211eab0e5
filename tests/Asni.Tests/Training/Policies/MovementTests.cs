using Asni.Cpu;
using Asni.Devices;
using Asni.Engine;
using Asni.Methods;
using Asni.Networks;
using Asni.Pruning;
using Asni.Tensors;
using Asni.Tests.Devices;
using Asni.Tests.Engine;
using Asni.Tests.Methods;
using Asni.Training;
using Asni.Training.Policies;
using static Asni.Tests.Methods.MethodTests;

namespace Asni.Tests.Training.Policies;

public class MovementTests
{
    /// <summary>Gradients of three steps, between which weights move by hand: s = -(1 x 2) - (0.5 x -1) - (2 x 3) = -7.5 for the first weight.</summary>
    [Test]
    public void Scores_after_three_steps_are_those_made_by_hand()
    {
        using var device = new CpuDevice(1);
        using var model = new Model(TinyNetworks.Linear(2, 2), device);
        var movement = new Movement(model, [model.Network.Parameters[0]], last: 3);
        model.Parameters.Upload(0, ParameterSlot.Score, [float.NaN, 7, 7, 7]);
        float[][] w = [[1, -1, 4, 0.25f], [0.5f, -2, 4, 0.25f], [2, -4, 4, 0]], g = [[2, 3, -1, 0], [-1, 1, 0.5f, 8], [3, 0.5f, 1, 2]];
        for (int step = 1; step <= 4; step++)
        {
            model.Parameters.Upload(0, ParameterSlot.Value, w[(step - 1) % 3]);
            model.Parameters.Upload(0, ParameterSlot.Gradient, g[(step - 1) % 3]);
            movement.AfterBackward(new StepPoint(0, step, 4, 1));
        }
        Assert.That(Workbench.Read(model.Parameters, 0, ParameterSlot.Score), Is.EqualTo((float[])[-7.5f, 7, -2, -2]), "the fourth step comes after the last pruning");
        var pruner = new Pruner(model, new Accumulated(), new Pooled());
        Assert.That(pruner.PruneTo(0.25, _ => { }).Threshold, Is.EqualTo(-2));
        Assert.That(model.Parameters.GetMask(0)!.Words[0], Is.EqualTo(0b1110), "the largest magnitude moves towards 0 and goes first");
    }

    [Test]
    public void Pruned_weights_have_no_score()
    {
        using var device = new CpuDevice(1);
        using var model = new Model(TinyNetworks.Linear(2, 2), device);
        model.Parameters.Upload(0, ParameterSlot.Value, [1, 2, 3, 4]);
        model.Parameters.SetMask(0, new Mask(4) { [1] = false });
        model.Parameters.Upload(0, ParameterSlot.Gradient, [-1, float.NaN, -1, -1]);
        new Movement(model, [model.Network.Parameters[0]], last: 3).AfterBackward(new StepPoint(0, 1, 4, 1));
        Assert.That(Workbench.Read(model.Parameters, 0, ParameterSlot.Score), Is.EqualTo((float[])[1, 0, 3, 4]));
    }

    [TestCase(false)]
    [TestCase(true)]
    public void Movement_pruning_of_a_trained_network_keeps_exactly_what_was_asked(bool biases)
    {
        TrainedNetwork dense = Run(new DenseTraining()).Result.Phases[0].Model;
        var method = new MovementPruning { Cuts = new() { Sparsity = 0.8 }, Pruning = new() { Biases = biases } };
        (RunResult result, RecordingObserver observer) = Run(method, dense);
        PhaseResult phase = result.Phases.Single();
        long all = biases ? Net.Parameters.Sum(p => p.Elements) : Net.WeightCount;
        Assert.That(Net.Parameters.Where(p => p.IsWeight || biases).Sum(p => phase.Model.Masks[p.Index]?.Live ?? p.Elements), Is.EqualTo(Quota.At(0.8, all)));
        Assert.That(phase.Top1, Is.GreaterThan(0.5), "chance is 0.25");
        Assert.That(observer.Notes, Has.None.Contains("fine-tuning"));
        Assert.That(Run(method).Observer.Notes, Has.Some.Contains("fine-tuning"), "from new weights");
        PhaseResult magnitude = Run(new Gmp { Cuts = method.Cuts, Pruning = method.Pruning }, dense).Result.Phases.Single();
        Assert.That(phase.Model.Masks[0]!.Words.SequenceEqual(magnitude.Model.Masks[0]!.Words), Is.False);
    }
}
