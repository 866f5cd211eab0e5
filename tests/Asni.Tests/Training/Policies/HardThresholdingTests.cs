using Asni.Cpu;
using Asni.Devices;
using Asni.Engine;
using Asni.Pruning;
using Asni.Tensors;
using Asni.Tests.Devices;
using Asni.Tests.Engine;
using Asni.Training.Policies;

namespace Asni.Tests.Training.Policies;

public class HardThresholdingTests
{
    private const int Dimension = 100, Samples = 400, Sparse = 10, Steps = 300;

    /// <summary>f(x) = |A x - b|^2 / 2n with b = A x* and 10 nonzeros in x*: full batches with a rate below 1 / L never go up, and small ones find the same support.</summary>
    [TestCase(Samples, 0.9)]
    [TestCase(40, 0.3)]
    public void The_support_of_a_sparse_least_squares_problem_is_recovered(int batch, double rateTimesL)
    {
        using var device = new CpuDevice(1);
        using var model = new Model(TinyNetworks.Linear(Dimension, 1), device);
        var policy = new HardThresholding(new Pruner(model, new Magnitude(), new Pooled()), 1 - (double)Sparse / Dimension, new Cadence(1, 1, Steps), _ => { });
        (double[][] a, double[] b, double[] best) = Problem();
        var rule = new UpdateRule(UpdateKind.Sgd, (float)(rateTimesL / LargestEigenvalue(a)), 0, true, 0, false, 0, 0, 0, 1);
        double before = double.PositiveInfinity;
        for (int step = 1; step <= Steps; step++)
        {
            StepPoint at = new(0, step, Steps, 1);
            Assert.That(policy.BeforeStep(at), Is.EqualTo(new StepNeeds(DenseGradient: step > 1, ReplacesUpdate: false)));
            float[] x = Workbench.Read(model.Parameters, 0, ParameterSlot.Value);
            if (step > 1)
            {
                Assert.That(x.Count(v => v != 0), Is.EqualTo(Sparse));
                double objective = Objective(a, b, x);
                if (batch == Samples) Assert.That(objective, Is.LessThanOrEqualTo(before * (1 + 1e-5) + 1e-10), $"step {step}");
                before = objective;
            }
            model.Parameters.Upload(0, ParameterSlot.Gradient, Gradient(a, b, x, [.. Enumerable.Range((step - 1) * batch, batch).Select(i => i % Samples)]));
            policy.AfterBackward(at);
            model.Parameters.Update(rule);
            Assert.That(policy.AfterStep(at)!.Value.Kept, Is.EqualTo(Sparse));
        }
        Mask mask = model.Parameters.GetMask(0)!;
        Assert.That(Enumerable.Range(0, Dimension).Where(i => mask[i]), Is.EqualTo(Enumerable.Range(0, Dimension).Where(i => best[i] != 0)));
        Outputs.AssertClose([.. best.Select(v => (float)v)], Workbench.Read(model.Parameters, 0, ParameterSlot.Value), 1e-3, 0, "x");
    }

    [Test]
    public void Between_two_cuts_all_weights_live()
    {
        using var device = new CpuDevice(1);
        using var model = new Model(TinyNetworks.Linear(5, 2), device);
        model.Parameters.Upload(0, ParameterSlot.Value, Values.Random(3, 10));
        var policy = new HardThresholding(new Pruner(model, new Magnitude(), new Pooled()), 0.7, new Cadence(3, 2, 9), _ => { });
        var kept = new List<(bool Dense, long Live)>();
        for (int step = 1; step <= 9; step++)
        {
            StepPoint at = new(0, step, 9, 1);
            bool dense = policy.BeforeStep(at).DenseGradient;
            policy.AfterBackward(at);
            Assert.That(model.Parameters.Live(0), Is.EqualTo(10), "what is updated");
            policy.AfterStep(at);
            kept.Add((dense, model.Parameters.Live(0)));
        }
        // Cuts after steps 2, 5, 8 and the last one.
        Assert.That(kept, Is.EqualTo(((bool, long)[])[(false, 10), (false, 3), (true, 10), (false, 10), (false, 3), (true, 10), (false, 10), (false, 3), (true, 3)]));
    }

    private static (double[][] A, double[] B, double[] X) Problem()
    {
        var random = SplitMix64.Fork(17);
        double[][] a = [.. Enumerable.Range(0, Samples).Select(_ => Enumerable.Range(0, Dimension).Select(_ => (double)random.NextNormal()).ToArray())];
        var x = new double[Dimension];
        for (int k = 0; k < Sparse; k++) x[7 * k + 3] = (k % 2 == 0 ? 1 : -1) * (0.5 + random.NextDouble());
        return (a, [.. a.Select(row => Dot(row, x))], x);
    }

    private static double Objective(double[][] a, double[] b, float[] x) => a.Zip(b, (row, y) => Math.Pow(Dot(row, [.. x.Select(v => (double)v)]) - y, 2)).Sum() / (2 * Samples);

    private static float[] Gradient(double[][] a, double[] b, float[] x, int[] samples)
    {
        double[] at = [.. x.Select(v => (double)v)];
        var gradient = new double[Dimension];
        foreach (int i in samples)
        {
            double residual = Dot(a[i], at) - b[i];
            for (int j = 0; j < Dimension; j++) gradient[j] += residual * a[i][j] / samples.Length;
        }
        return [.. gradient.Select(g => (float)g)];
    }

    /// <summary>Of A'A / n, by power iteration: L.</summary>
    private static double LargestEigenvalue(double[][] a)
    {
        double[] v = [.. Enumerable.Repeat(1.0, Dimension)];
        double norm = 0;
        for (int k = 0; k < 200; k++)
        {
            double[] av = [.. a.Select(row => Dot(row, v))];
            v = [.. Enumerable.Range(0, Dimension).Select(j => a.Zip(av, (row, y) => row[j] * y).Sum() / Samples)];
            norm = Math.Sqrt(Dot(v, v));
            v = [.. v.Select(x => x / norm)];
        }
        return norm;
    }

    private static double Dot(double[] a, double[] b)
    {
        double sum = 0;
        for (int i = 0; i < a.Length; i++) sum += a[i] * b[i];
        return sum;
    }
}
