using Asni.Devices;
using Asni.Networks;
using Asni.Tensors;

namespace Asni.Tests.Devices;

/// <summary>Transfers, masks and optimizer steps.</summary>
[TestFixtureSource(typeof(DeviceCase), nameof(DeviceCase.All))]
internal class ParameterTests(DeviceCase device) : DeviceTests
{
    internal static readonly (ParameterKind, FilterShape)[] Kinds =
    [
        (ParameterKind.Weight, new FilterShape(17, 3, 3, 3)),
        (ParameterKind.Bias, new FilterShape(17, 1, 1, 1)),
        (ParameterKind.Weight, new FilterShape(10, 64, 4, 4)),
        (ParameterKind.NormWeight, new FilterShape(24, 1, 1, 1)),
        (ParameterKind.NormBias, new FilterShape(24, 1, 1, 1)),
        (ParameterKind.RunningMean, new FilterShape(24, 1, 1, 1)),
        (ParameterKind.RunningVariance, new FilterShape(24, 1, 1, 1)),
        (ParameterKind.Weight, new FilterShape(24, 1, 3, 3)),
        (ParameterKind.Weight, new FilterShape(1, 1, 1, 1)),
        (ParameterKind.Weight, new FilterShape(64, 130, 1, 1)),
        (ParameterKind.Weight, new FilterShape(32, 16, 5, 7)),
    ];

    private static readonly UpdateRule Sgd = new(UpdateKind.Sgd, 0.05f, 0, true, 0, false, 0, 0, 0, 1);
    private static readonly UpdateRule Adam = new(UpdateKind.Adam, 1e-2f, 0, true, 0, false, 0.9f, 0.999f, 1e-8f, 1);

    private static IEnumerable<TestCaseData> Rules()
    {
        yield return new TestCaseData(Sgd).SetArgDisplayNames("sgd");
        yield return new TestCaseData(Sgd with { WeightDecay = 0.01f }).SetArgDisplayNames("sgd, decay");
        yield return new TestCaseData(Sgd with { Momentum = 0.9f, WeightDecay = 0.01f }).SetArgDisplayNames("momentum, decay");
        yield return new TestCaseData(Sgd with { Momentum = 0.9f, WeightDecay = 0.01f, Nesterov = true })
            .SetArgDisplayNames("nesterov, decay");
        yield return new TestCaseData(Sgd with { Momentum = 0.9f, WeightDecay = 0.01f, DecayVectors = false })
            .SetArgDisplayNames("momentum, decay of weights only");
        yield return new TestCaseData(Adam).SetArgDisplayNames("adam");
        yield return new TestCaseData(Adam with { WeightDecay = 0.01f }).SetArgDisplayNames("adam, decay");
        yield return new TestCaseData(Adam with { WeightDecay = 0.01f, DecayVectors = false })
            .SetArgDisplayNames("adam, decay of weights only");
    }

    [TestCaseSource(nameof(Rules))]
    public void Ten_steps_agree_with_the_reference(UpdateRule rule)
    {
        Outputs expected = TenSteps(DeviceCase.OpenReference(), rule), actual = TenSteps(device.Open(), rule);
        // Values of about 1 and ten updates, each with a few roundings.
        Outputs.AssertClose(expected, actual, 2e-6, 1e-5, rule);
    }

    [TestCaseSource(nameof(Rules))]
    public void A_pruned_element_and_its_state_are_bitwise_zero_after_every_step(UpdateRule rule)
    {
        using Workbench bench = device.Open();
        DeviceParameters p = Filled(bench);
        p.Update(rule); // builds up momentum first
        foreach (int index in (int[])[0, 7, 9]) p.SetMask(index, Values.Mask(50, p.Parameters[index].Elements, 0.3));
        for (int step = 2; step <= 5; step++)
        {
            foreach (Parameter parameter in p.Parameters.Where(q => q.IsTrained))
                p.Upload(parameter.Index, ParameterSlot.Gradient, Hostile(p, parameter, step));
            p.Update(rule with { Step = step });
            foreach (int index in (int[])[0, 7, 9]) AssertPrunedIsZero(p, index);
        }
    }

    [TestCaseSource(nameof(Rules))]
    public void State_stays_with_its_elements_when_masks_shrink_between_steps(UpdateRule rule)
    {
        Outputs expected = ShrinkingSteps(DeviceCase.OpenReference(), rule), actual = ShrinkingSteps(device.Open(), rule);
        Outputs.AssertClose(expected, actual, 2e-6, 1e-5, rule);
    }

    [Test]
    public void Setting_a_mask_clears_values_and_state_at_once_and_a_copy_comes_back()
    {
        using Workbench bench = device.Open();
        DeviceParameters p = Filled(bench);
        p.Update(Adam);
        for (int i = 0; i < p.Parameters.Length; i++)
        {
            Assert.That(p.GetMask(i), Is.Null);
            if (!p.Parameters[i].IsWeight) continue;
            float[] before = Workbench.Read(p, i, ParameterSlot.Value);
            Mask mask = Values.Mask(60 + (ulong)i, before.Length, 0.4);
            p.SetMask(i, mask);
            Assert.That(Workbench.MaskOf(p, i).Words.ToArray(), Is.EqualTo(mask.Words.ToArray()));
            Assert.That(p.Live(i), Is.EqualTo(mask.Live));
            AssertPrunedIsZero(p, i);
            float[] after = Workbench.Read(p, i, ParameterSlot.Value);
            Assert.That(after, Is.EqualTo(before.Select((v, k) => mask[k] ? v : 0)));
            p.SetMask(i, null);
            Assert.That(p.GetMask(i), Is.Null);
            Assert.That(p.Live(i), Is.EqualTo(before.Length));
        }
    }

    [Test]
    public void A_mask_that_is_all_live_is_no_mask()
    {
        using Workbench bench = device.Open();
        DeviceParameters p = Filled(bench);
        p.SetMask(0, new Mask(p.Parameters[0].Elements));
        Assert.That(p.GetMask(0), Is.Null);
    }

    [Test]
    public void Changing_a_mask_given_or_received_does_not_change_the_devices_own()
    {
        using Workbench bench = device.Open();
        DeviceParameters p = Filled(bench);
        var mask = new Mask(p.Parameters[0].Elements) { [2] = false };
        p.SetMask(0, mask);
        mask[3] = false;
        p.GetMask(0)![4] = false;
        Assert.That(p.GetMask(0)!.Live, Is.EqualTo(mask.Length - 1));
        Assert.That(p.Live(0), Is.EqualTo(mask.Length - 1));
    }

    [Test]
    public void Every_slot_comes_back_as_it_was_uploaded()
    {
        using Workbench bench = device.Open();
        DeviceParameters p = bench.Parameters(Kinds);
        foreach (Parameter parameter in p.Parameters)
            foreach (ParameterSlot slot in Slots(parameter))
                p.Upload(parameter.Index, slot, Values.Random(Seed(parameter, slot), parameter.Elements));
        foreach (Parameter parameter in p.Parameters)
            foreach (ParameterSlot slot in Slots(parameter))
                Assert.That(Workbench.Read(p, parameter.Index, slot), Is.EqualTo(Values.Random(Seed(parameter, slot), parameter.Elements)),
                    $"{parameter} {slot}");
    }

    [Test]
    public void Resetting_the_state_leaves_the_values()
    {
        using Workbench bench = device.Open();
        DeviceParameters p = Filled(bench);
        p.Update(Adam);
        float[][] values = [.. p.Parameters.Select(q => Workbench.Read(p, q.Index, ParameterSlot.Value))];
        p.ResetState();
        foreach (Parameter parameter in p.Parameters)
        {
            Assert.That(Workbench.Read(p, parameter.Index, ParameterSlot.Value), Is.EqualTo(values[parameter.Index]));
            if (!parameter.IsTrained) continue;
            Assert.That(Workbench.Read(p, parameter.Index, ParameterSlot.State0), Is.All.EqualTo(0f));
            Assert.That(Workbench.Read(p, parameter.Index, ParameterSlot.State1), Is.All.EqualTo(0f));
        }
    }

    /// <summary>Random values and gradients, positive running variances.</summary>
    internal static DeviceParameters Filled(Workbench bench)
    {
        DeviceParameters p = bench.Parameters(Kinds);
        foreach (Parameter parameter in p.Parameters)
        {
            p.Upload(parameter.Index, ParameterSlot.Value, Values.Random(Seed(parameter, ParameterSlot.Value), parameter.Elements));
            if (!parameter.IsTrained) continue;
            p.Upload(parameter.Index, ParameterSlot.Gradient,
                Values.Random(Seed(parameter, ParameterSlot.Gradient), parameter.Elements));
        }
        return p;
    }

    private static Outputs ShrinkingSteps(Workbench bench, UpdateRule rule) => TenSteps(bench, rule, (p, step) =>
    {
        // First a tenth of the weights lives, then fewer; the last masks come from a threshold.
        if (step == 4) p.SetMask(2, Values.Mask(70, p.Parameters[2].Elements, 0.06));
        if (step != 7) return;
        int[] pruned = [0, 2, 9];
        p.ApplyThreshold(pruned, p.FindThreshold(pruned, 300), new long[3]);
    });

    private static Outputs TenSteps(Workbench bench, UpdateRule rule, Action<DeviceParameters, int>? before = null)
    {
        using Workbench _ = bench;
        DeviceParameters p = Filled(bench);
        p.SetMask(2, Values.Mask(70, p.Parameters[2].Elements, 0.1));
        p.SetMask(7, Values.Mask(71, p.Parameters[7].Elements, 0.5));
        for (int step = 1; step <= 10; step++)
        {
            foreach (Parameter parameter in p.Parameters.Where(q => q.IsTrained))
                p.Upload(parameter.Index, ParameterSlot.Gradient,
                    Values.Random((ulong)(1000 * step + parameter.Index), parameter.Elements, 1, 0.2f));
            before?.Invoke(p, step);
            p.Update(rule with { Step = step });
        }
        var outputs = new Outputs();
        foreach (Parameter parameter in p.Parameters)
        {
            outputs.Add(parameter.ToString(), Workbench.Read(p, parameter.Index, ParameterSlot.Value));
            if (!parameter.IsTrained) continue;
            outputs.Add($"{parameter} state 0", Workbench.Read(p, parameter.Index, ParameterSlot.State0));
            outputs.Add($"{parameter} state 1", Workbench.Read(p, parameter.Index, ParameterSlot.State1));
        }
        return outputs;
    }

    /// <summary>Gradients that are huge, infinite or NaN at pruned positions.</summary>
    private static float[] Hostile(DeviceParameters p, Parameter parameter, int step)
    {
        float[] gradient = Values.Random((ulong)(step * 100 + parameter.Index), parameter.Elements);
        if (p.GetMask(parameter.Index) is not { } mask) return gradient;
        float[] bad = [float.NaN, float.PositiveInfinity, -1e30f, -0f];
        for (int i = 0; i < gradient.Length; i++)
            if (!mask[i]) gradient[i] = bad[i % bad.Length];
        return gradient;
    }

    internal static void AssertPrunedIsZero(DeviceParameters p, int index)
    {
        Mask mask = Workbench.MaskOf(p, index);
        foreach (ParameterSlot slot in (ParameterSlot[])[ParameterSlot.Value, ParameterSlot.State0, ParameterSlot.State1])
        {
            float[] values = Workbench.Read(p, index, slot);
            for (int i = 0; i < values.Length; i++)
                if (!mask[i] && BitConverter.SingleToUInt32Bits(values[i]) != 0)
                    Assert.Fail($"{slot} of {p.Parameters[index].Name}[{i}] is {values[i]}");
        }
    }

    private static IEnumerable<ParameterSlot> Slots(Parameter parameter) =>
        parameter.IsTrained ? Enum.GetValues<ParameterSlot>() : [ParameterSlot.Value];

    private static ulong Seed(Parameter parameter, ParameterSlot slot) => (ulong)(parameter.Index * 10 + (int)slot);
}
