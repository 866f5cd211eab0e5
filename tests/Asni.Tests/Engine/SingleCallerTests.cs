using Asni.Cpu;
using Asni.Data;
using Asni.Engine;
using Asni.Networks;
using Asni.Optimizers;
using Asni.Tensors;
using Asni.Tests.Methods;
using Asni.Training;

namespace Asni.Tests.Engine;

/// <summary>What takes one caller at a time refuses a second one, and goes on for the first.</summary>
public class SingleCallerTests
{
    private static readonly Chw s_shape = new(1, 28, 28);

    [Test]
    public void Whatever_is_on_a_device_in_use_refuses_another_thread()
    {
        using var device = new CpuDevice(2);
        using var model = new Model(NetworkZoo.Create("lenet300", s_shape, 10), device);
        TrainedNetwork snapshot = model.TakeSnapshot();
        using var plan = new Plan(model, 2, training: true);
        using var other = new Plan(model, 2, training: false);
        Action[] calls =
        [
            () => plan.Load(new float[784], [1]), plan.RunTraining, plan.RunEvaluation, () => plan.ReadLoss(), () => plan.ReadLogits(new float[10]), plan.Dispose,
            other.RunEvaluation, () => model.Load(snapshot), () => model.TakeSnapshot(), () => new Plan(model, 1, training: false), model.Dispose, device.Dispose,
        ];
        using (device.Caller.Enter())
        {
            foreach (Action call in calls)
                Assert.That(OnAnotherThread(call), Is.InstanceOf<InvalidOperationException>().With.Message.Contains("one caller at a time"));
            // The thread that has it comes in again.
            plan.Load(new float[784], [1]);
            plan.RunTraining();
        }
        Assert.That(OnAnotherThread(plan.RunTraining), Is.Null);
    }

    [Test]
    public void A_trainer_refuses_another_thread_within_an_epoch_and_trains_on_as_alone()
    {
        Metrics alone = Train(null, out _);
        Metrics disturbed = Train(trainer =>
        [
            () => trainer.Evaluate(), () => trainer.TrainEpoch(Epoch), () => trainer.Model.TakeSnapshot(), trainer.Dispose,
        ], out int refused);
        Assert.That(refused, Is.EqualTo(4 * 5), "4 calls after each of 5 steps");
        Assert.That(disturbed with { Seconds = 0 }, Is.EqualTo(alone with { Seconds = 0 }));
    }

    [Test]
    public void A_plan_that_was_disposed_of_says_so()
    {
        using var device = new CpuDevice(1);
        using var model = new Model(NetworkZoo.Create("lenet300", s_shape, 10), device);
        var plan = new Plan(model, 2, training: true);
        plan.Dispose();
        Assert.That(plan.RunTraining, Throws.InstanceOf<ObjectDisposedException>());
        Assert.That(plan.ReadLoss, Throws.InstanceOf<ObjectDisposedException>());
        Assert.That(plan.Dispose, Throws.Nothing);
    }

    private static EpochPlan Epoch => new("dense", 0, 1, 1e-3, new OptimizerSettings(), 5);

    /// <param name="others">What another thread tries after each step.</param>
    private static Metrics Train(Func<Trainer, Action[]>? others, out int refused)
    {
        using var device = new CpuDevice(2);
        using var model = new Model(NetworkZoo.Create("lenet300", s_shape, 10), device);
        MethodValues(model);
        using var trainer = new Trainer(model, BlobDataset.Split(100, s_shape, 10), 20, Augmentation.None, 0, new RecordingObserver());
        int count = 0;
        Metrics metrics = trainer.TrainEpoch(Epoch, hooks: new StepHooks(After: _ =>
        {
            foreach (Action call in others?.Invoke(trainer) ?? [])
                if (OnAnotherThread(call) is InvalidOperationException) count++;
        }));
        refused = count;
        Assert.That(trainer.Evaluate().Samples, Is.EqualTo(50));
        return metrics;
    }

    private static void MethodValues(Model model)
    {
        float[][] values = [.. model.Network.Parameters.Select(p =>
        {
            var filled = new float[p.Elements];
            Initialization.Fill(p, 3, filled);
            return filled;
        })];
        model.Load(new TrainedNetwork(model.Network, [.. values], [.. new Mask?[values.Length]]));
    }

    private static Exception? OnAnotherThread(Action call)
    {
        Exception? thrown = null;
        var thread = new Thread(() =>
        {
            try
            {
                call();
            }
            catch (Exception e)
            {
                thrown = e;
            }
        });
        thread.Start();
        thread.Join();
        return thrown;
    }
}
