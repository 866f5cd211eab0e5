using Asni.Cpu;
using Asni.Devices;
using Asni.Engine;
using Asni.Tensors;
using Asni.Tests.Devices;
using Asni.Tests.Engine;
using Asni.Training.Policies;

namespace Asni.Tests.Training.Policies;

public class AdmmTests
{
    /// <summary>
    /// sum a (w - c)^2 / 2: to leave w at 0 costs a c^2 / 2. The largest weights are not those that cost most: by |c| the first four would stay, by a c^2 the last four have to.
    /// </summary>
    [Test]
    public void A_diagonal_quadratic_ends_at_the_best_K_weights()
    {
        float[] c = [1, -1.1f, 1.2f, -0.95f, 0.05f, 0.3f, -0.2f, 0.4f, 0.7f, -0.6f, 0.5f, -0.8f], a = [0.2f, 0.2f, 0.1f, 0.3f, 1, 0.2f, 1, 0.3f, 5, 6, 8, 4];
        const int kept = 4;
        int[] best = [.. Enumerable.Range(0, c.Length).OrderByDescending(i => a[i] * c[i] * c[i]).Take(kept).Order()];
        Assert.That(best, Is.EqualTo((int[])[8, 9, 10, 11]));
        using var device = new CpuDevice(1);
        using var model = new Model(TinyNetworks.Linear(6, 2), device);
        model.Parameters.Upload(0, ParameterSlot.Value, c);
        const int steps = 8000;
        var policy = new Admm(model, kept, rho: 1.5, new Cadence(5, 0));
        for (int step = 1; step <= steps; step++)
        {
            StepPoint at = new(0, step, steps, 1);
            policy.BeforeStep(at);
            model.Parameters.Upload(0, ParameterSlot.Gradient, [.. Read(model, ParameterSlot.Value).Select((w, i) => a[i] * (w - c[i]))]);
            policy.AfterBackward(at);
            model.Parameters.Update(new UpdateRule(UpdateKind.Sgd, 0.05f, 0, true, 0, false, 0, 0, 0, step));
            Assert.That(policy.AfterStep(at), Is.Null);
        }
        float[] w = Read(model, ParameterSlot.Value);
        Assert.That(Enumerable.Range(0, w.Length).OrderByDescending(i => MathF.Abs(w[i])).Take(kept).Order(), Is.EqualTo(best));
        Outputs.AssertClose([.. c.Select((x, i) => best.Contains(i) ? x : 0)], w, 1e-3, 0, "w");
    }

    /// <summary>K = 2, rho = 0.5. First z = (0, -3, 2, 0), u = 0; after w has become (1, -2, 2, 2), w + u is that, z = (0, -2, 2, 0), the first of the equal ones, and u = (1, 0, 0, 2).</summary>
    [Test]
    public void Targets_and_gradients_are_those_made_by_hand()
    {
        using var device = new CpuDevice(1);
        using var model = new Model(TinyNetworks.Linear(2, 2), device);
        var policy = new Admm(model, 2, rho: 0.5, new Cadence(3, 1));
        model.Parameters.Upload(0, ParameterSlot.Value, [1, -3, 2, 1.5f]);
        Assert.That(GradientOf(1), Is.EqualTo((float[])[10, 10, 10, 10]), "the penalty begins after the first step");
        Assert.That(GradientOf(2), Is.EqualTo((float[])[10.5f, 10, 10, 10.75f]));
        model.Parameters.Upload(0, ParameterSlot.Value, [1, -2, 2, 2]);
        Assert.That(GradientOf(4), Is.EqualTo((float[])[10.5f, 10.5f, 10, 11]), "z and u stay for three steps");
        PolicyState before = policy.Save()!;
        Assert.That(GradientOf(5), Is.EqualTo((float[])[11, 10, 10, 12]));
        PolicyState after = policy.Save()!;
        Assert.That(after.Tensors["fc1.weight.dual"], Is.EqualTo((float[])[1, 0, 0, 2]));
        Assert.That(after.Tensors["fc1.weight.target"], Is.EqualTo((float[])[-1, -2, 2, -2]));
        policy.Restore(before);
        Assert.That(GradientOf(6), Is.EqualTo((float[])[10.5f, 10.5f, 10, 11]));

        float[] GradientOf(int step)
        {
            StepPoint at = new(0, step, 100, 1);
            Assert.That(policy.BeforeStep(at), Is.EqualTo(default(StepNeeds)));
            model.Parameters.Upload(0, ParameterSlot.Gradient, Values.Constant(4, 10));
            policy.AfterBackward(at);
            return Read(model, ParameterSlot.Gradient);
        }
    }

    private static float[] Read(Model model, ParameterSlot slot) => Workbench.Read(model.Parameters, 0, slot);
}
