using Asni.Cpu;
using Asni.Devices;
using Asni.Networks;
using Asni.Tensors;

namespace Asni.Tests.Cpu;

internal class UpdateTests
{
    private static UpdateRule Sgd(float momentum, bool nesterov, float decay, bool decayVectors) =>
        new(UpdateKind.Sgd, 0.05f, decay, decayVectors, momentum, nesterov, 0, 0, 0, 1);

    private static IEnumerable<UpdateRule> Rules()
    {
        foreach (bool decayVectors in (bool[])[false, true])
        {
            yield return Sgd(0, false, 0.01f, decayVectors);
            yield return Sgd(0.9f, false, 0.01f, decayVectors);
            yield return Sgd(0.9f, true, 0.01f, decayVectors);
            yield return new UpdateRule(UpdateKind.Adam, 0.01f, 0.01f, decayVectors, 0, false, 0.9f, 0.999f, 1e-8f, 1);
        }
        yield return Sgd(0.9f, true, 0, true);
        yield return new UpdateRule(UpdateKind.Adam, 1e-3f, 0, true, 0, false, 0.8f, 0.99f, 1e-6f, 1);
    }

    [Test]
    public void Ten_steps_agree_with_PyTorchs_formulas([ValueSource(nameof(Rules))] UpdateRule rule, [Values(1, 2)] int threads, [Values(0.03, 0.5, 1)] double density)
    {
        using var device = new CpuDevice(threads);
        using DeviceParameters parameters = device.CreateParameters([CpuTest.Filter(0, 33, 67, 5, 3), CpuTest.Vector(1, 17, ParameterKind.Bias),
            CpuTest.Vector(2, 5, ParameterKind.RunningMean), CpuTest.Filter(3, 10, 7, 1, 1)]);
        var masks = new Mask?[] { density < 1 ? CpuTest.RandomMask(33165, density, 40) : null, null, null, null };
        var host = new List<double[][]>();
        foreach (Parameter p in parameters.Parameters)
        {
            parameters.Upload(p.Index, ParameterSlot.Value, CpuTest.Random(p.Elements, (ulong)p.Index));
            parameters.SetMask(p.Index, masks[p.Index]);
            host.Add([CpuTest.Read(parameters, p.Index).Select(v => (double)v).ToArray(), new double[p.Elements], new double[p.Elements]]);
        }
        for (int step = 1; step <= 10; step++)
        {
            foreach (Parameter p in parameters.Parameters.Where(p => p.IsTrained))
            {
                float[] gradient = CpuTest.Random(p.Elements, (ulong)(100 * step + p.Index));
                parameters.Upload(p.Index, ParameterSlot.Gradient, gradient);
                bool decays = rule.DecayVectors || p.IsWeight;
                for (int i = 0; i < gradient.Length; i++)
                    if (masks[p.Index] is not { } mask || mask[i]) Step(rule with { Step = step }, decays, host[p.Index], i, gradient[i]);
            }
            parameters.Update(rule with { Step = step });
        }
        foreach (Parameter p in parameters.Parameters)
        {
            CpuTest.AssertClose(CpuTest.Read(parameters, p.Index), host[p.Index][0], 2e-5, 2e-6, p.Name);
            if (!p.IsTrained) continue;
            CpuTest.AssertClose(CpuTest.Read(parameters, p.Index, ParameterSlot.State0), host[p.Index][1], 2e-5, 2e-6, p.Name + " state 0");
            CpuTest.AssertClose(CpuTest.Read(parameters, p.Index, ParameterSlot.State1), host[p.Index][2], 2e-5, 2e-6, p.Name + " state 1");
        }
    }

    [Test]
    public void Pruned_elements_and_their_state_stay_bitwise_zero_whatever_the_gradient([ValueSource(nameof(Rules))] UpdateRule rule)
    {
        using var device = new CpuDevice(1);
        using DeviceParameters parameters = device.CreateParameters([CpuTest.Filter(0, 13, 11, 3, 3)]);
        Mask mask = CpuTest.RandomMask(1287, 0.3, 3);
        parameters.Upload(0, ParameterSlot.Value, CpuTest.Random(1287, 1));
        parameters.SetMask(0, mask);
        float[] gradient = CpuTest.Random(1287, 2).Select((g, i) => mask[i] ? g : i % 3 == 0 ? float.NaN : i % 3 == 1 ? -1f : float.NegativeInfinity).ToArray();
        parameters.Upload(0, ParameterSlot.Gradient, gradient);
        parameters.Update(rule);
        parameters.Update(rule with { Step = 2 });
        foreach (ParameterSlot slot in (ParameterSlot[])[ParameterSlot.Value, ParameterSlot.State0, ParameterSlot.State1])
        {
            float[] values = CpuTest.Read(parameters, 0, slot);
            for (int i = 0; i < values.Length; i++)
                if (!mask[i]) Assert.That(BitConverter.SingleToUInt32Bits(values[i]), Is.Zero, $"{slot} {i}");
            Assert.That(values, Has.None.NaN);
        }
    }

    [Test]
    public void Resetting_zeroes_the_state_only()
    {
        using var device = new CpuDevice(1);
        using DeviceParameters parameters = device.CreateParameters([CpuTest.Vector(0, 20, ParameterKind.Bias)]);
        parameters.Upload(0, ParameterSlot.Gradient, CpuTest.Random(20, 1));
        parameters.Update(new UpdateRule(UpdateKind.Adam, 0.1f, 0, true, 0, false, 0.9f, 0.999f, 1e-8f, 1));
        parameters.ResetState();
        Assert.That(CpuTest.Read(parameters, 0, ParameterSlot.State0), Is.All.Zero);
        Assert.That(CpuTest.Read(parameters, 0, ParameterSlot.State1), Is.All.Zero);
        Assert.That(CpuTest.Read(parameters, 0), Is.All.Not.Zero);
    }

    /// <summary>The formulas of torch.optim.SGD and torch.optim.Adam, in double; h holds value and state.</summary>
    private static void Step(UpdateRule rule, bool decays, double[][] h, int i, double gradient)
    {
        double g = gradient + (decays ? (double)(decimal)rule.WeightDecay : 0) * h[0][i], lr = (double)(decimal)rule.LearningRate;
        if (rule.Kind == UpdateKind.Sgd)
        {
            double momentum = (double)(decimal)rule.Momentum;
            if (momentum != 0)
            {
                h[1][i] = momentum * h[1][i] + g;
                g = rule.Nesterov ? g + momentum * h[1][i] : h[1][i];
            }
            h[0][i] -= lr * g;
            return;
        }
        double beta1 = (double)(decimal)rule.Beta1, beta2 = (double)(decimal)rule.Beta2;
        h[1][i] = beta1 * h[1][i] + (1 - beta1) * g;
        h[2][i] = beta2 * h[2][i] + (1 - beta2) * g * g;
        double root = Math.Sqrt(h[2][i]) / Math.Sqrt(1 - Math.Pow(beta2, rule.Step)) + rule.Epsilon;
        h[0][i] -= lr / (1 - Math.Pow(beta1, rule.Step)) * h[1][i] / root;
    }
}
