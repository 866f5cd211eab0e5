using Asni.Cpu;
using Asni.Devices;
using Asni.Engine;
using Asni.Optimizers;
using Asni.Tensors;
using Asni.Tests.Devices;
using Asni.Tests.Engine;
using Asni.Training.Policies;

namespace Asni.Tests.Training.Policies;

/// <summary>Penalties that draw weights to 0.</summary>
public class PenaltyTests
{
    private static readonly LearningRate s_rate = new() { Kind = LearningRateKind.Multistep, Initial = 0.5, Steps = [1], Gamma = 0.5 };

    [Test]
    public void The_soft_threshold_is_the_rate_times_lambda()
    {
        using var device = new CpuDevice(1);
        using var model = new Model(TinyNetworks.Linear(3, 2), device);
        model.Parameters.Upload(0, ParameterSlot.Value, [1, -1, 0.25f, -0.25f, 0.2f, 0]);
        model.Parameters.Upload(1, ParameterSlot.Value, [0.1f, 1]);
        var policy = new SoftThresholding(model, s_rate, 0.5, new FloorCut(model, 0, 0, _ => { }));
        Assert.That(policy.AfterStep(new StepPoint(0, 1, 2, 2)), Is.Null);
        Assert.That(Read(model), Is.EqualTo((float[])[0.75f, -0.75f, 0, 0, 0, 0]));
        policy.AfterStep(new StepPoint(1, 1, 2, 2));
        Assert.That(Read(model)[..2], Is.EqualTo((float[])[0.625f, -0.625f]));
        Assert.That(Workbench.Read(model.Parameters, 1, ParameterSlot.Value), Is.EqualTo((float[])[0.1f, 1]), "biases are left alone");
        Assert.That(policy.Finish(default)!.Value.Kept, Is.EqualTo(2));
        Assert.That(model.Parameters.GetMask(0)!.Words[0], Is.EqualTo(0b11));
    }

    /// <summary>min |x - c|^2 / 2 + lambda |x|_1, the lasso of an orthogonal matrix, has the solution sign(c) max(0, |c| - lambda).</summary>
    [Test]
    public void Proximal_steps_end_at_the_lasso_of_an_orthogonal_matrix()
    {
        const float lambda = 0.3f;
        using var device = new CpuDevice(2);
        using var model = new Model(TinyNetworks.Linear(20, 10), device);
        var policy = new SoftThresholding(model, s_rate, lambda, new FloorCut(model, 0, 0, _ => { }));
        float[] c = Values.Random(4, 200);
        model.Parameters.Upload(0, ParameterSlot.Value, Values.Random(5, 200));
        for (int step = 1; step <= 100; step++)
        {
            model.Parameters.Upload(0, ParameterSlot.Gradient, [.. Read(model).Zip(c, (x, y) => x - y)]);
            model.Parameters.Update(new UpdateRule(UpdateKind.Sgd, 0.5f, 0, true, 0, false, 0, 0, 0, step));
            policy.AfterStep(new StepPoint(0, step, 100, 1));
        }
        Outputs.AssertClose([.. c.Select(y => MathF.Sign(y) * Math.Max(0, MathF.Abs(y) - lambda))], Read(model), 1e-6, 0, "x");
        Assert.That(Read(model).Count(x => x == 0), Is.EqualTo(c.Count(y => MathF.Abs(y) <= lambda)));
    }

    [Test]
    public void Weights_fall_the_more_the_smaller_their_gradient_is_and_not_at_all_from_1_on()
    {
        using var device = new CpuDevice(1);
        using var model = new Model(TinyNetworks.Linear(3, 3), device);
        float[] w = [1, -1, 0.3f, -0.7f, 3, 1e-3f, 0.4f, 5, -2], g = [0, 0.5f, 1, -1.5f, 1e9f, -0.25f, 0.5f, 0, float.NaN];
        model.Parameters.Upload(0, ParameterSlot.Value, w);
        model.Parameters.SetMask(0, new Mask(9) { [8] = false });
        model.Parameters.Upload(0, ParameterSlot.Gradient, g);
        new InsensitivityDecay(model, 0.25, new FloorCut(model, 0, 0, _ => { })).AfterBackward(new StepPoint(0, 1, 2, 2));
        Assert.That(Workbench.Read(model.Parameters, 0, ParameterSlot.Gradient)[..8], Is.EqualTo(g[..8]), "the update has its gradient");
        float[] after = Read(model);
        Outputs.AssertClose([0.75f, -0.875f, 0.3f, -0.7f, 3, 1e-3f - 0.1875e-3f, 0.35f, 3.75f, 0], after, 0, 1e-6, "w");
        foreach (int insensitive in (int[])[2, 3, 4]) Assert.That(BitConverter.SingleToUInt32Bits(after[insensitive]), Is.EqualTo(BitConverter.SingleToUInt32Bits(w[insensitive])));
    }

    [Test]
    public void Small_weights_are_pruned_after_an_epoch_and_at_the_end()
    {
        using var device = new CpuDevice(1);
        using var model = new Model(TinyNetworks.Linear(2, 2), device);
        var policy = new InsensitivityDecay(model, 0.25, new FloorCut(model, 0.1f, 0, _ => { }));
        model.Parameters.Upload(0, ParameterSlot.Value, [0.1f, 0.2f, -0.05f, 0.3f]);
        Assert.That(policy.BetweenEpochs(new StepPoint(0, 2, 2, 2))!.Value.Kept, Is.EqualTo(2));
        model.Parameters.Upload(0, ParameterSlot.Value, [1, 0.01f, 1, 0.3f]);
        Assert.That(policy.Finish(default)!.Value.Kept, Is.EqualTo(1));
    }

    [TestCase(0.2f, 0, 3, 0.2)]
    [TestCase(0.1f, 0, 4, 0.1)]
    [TestCase(0.2f, 4, 4, 0.2)]
    [TestCase(0.25f, 5, 5, 0.1)]
    [TestCase(0.2f, 3, 3, 0.2)]
    [TestCase(0.2f, 2, 3, 0.2)]
    [TestCase(9, 6, 6, null)]
    public void A_floor_cut_leaves_what_is_above_it_and_at_least_so_many(float floor, long least, long kept, double? threshold)
    {
        using var device = new CpuDevice(1);
        using var model = new Model(TinyNetworks.Linear(3, 2), device);
        model.Parameters.Upload(0, ParameterSlot.Value, [0.1f, -0.2f, 0.3f, -0.4f, 0.5f, 0]);
        Assert.That(new FloorCut(model, floor, least, _ => { }).Apply(), Is.EqualTo(new Asni.Pruning.PruneOutcome(threshold is { } t ? (float)t : null, kept)));
        Assert.That(model.Parameters.Live(0), Is.EqualTo(kept));
    }

    private static float[] Read(Model model) => Workbench.Read(model.Parameters, 0, ParameterSlot.Value);
}
