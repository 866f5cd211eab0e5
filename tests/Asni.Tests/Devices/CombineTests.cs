using Asni.Devices;
using Asni.Networks;
using Asni.Tensors;

namespace Asni.Tests.Devices;

/// <summary>y = a f(x, w) + b y between slots.</summary>
[TestFixtureSource(typeof(DeviceCase), nameof(DeviceCase.All))]
internal class CombineTests(DeviceCase device) : DeviceTests
{
    private static readonly int[] Some = [0, 1, 3, 7, 8, 9];

    // Slots from Score on are alike.
    private const ParameterSlot Value = ParameterSlot.Value, Gradient = ParameterSlot.Gradient, State0 = ParameterSlot.State0, State1 = ParameterSlot.State1, Score = ParameterSlot.Score, Gate = ParameterSlot.Gate;

    [Test]
    public void Every_function_between_all_slots_agrees_with_the_reference([Values] ElementFunction function, [Values(Value, Gradient, State0, State1, Score)] ParameterSlot x, [Values(Value, Gradient, State0, State1, Gate)] ParameterSlot y)
    {
        foreach ((float a, float b) in ((float, float)[])[(1, 0), (-1, 0), (0.3f, 1), (2, -0.5f)])
        {
            using Workbench reference = DeviceCase.OpenReference(), bench = device.Open();
            DeviceParameters expected = Masked(reference), actual = Masked(bench);
            foreach (DeviceParameters p in (DeviceParameters[])[expected, actual]) p.Combine(Some, function, x, y, a, b);
            foreach (Parameter p in expected.Parameters.Where(p => p.IsTrained))
            {
                string context = $"{function} of {x} to {y}, {a}, {b}: {p.Name}";
                Mask mask = Workbench.MaskOf(actual, p.Index);
                foreach (ParameterSlot slot in Enum.GetValues<ParameterSlot>())
                {
                    // What stands in other gradients where weights are pruned is NaN, as a pass may leave it.
                    float[] want = Workbench.Read(expected, p.Index, slot), have = Workbench.Read(actual, p.Index, slot);
                    Outputs.AssertClose(want, have, 1e-6, 1e-6, $"{context}, {slot}");
                    if (slot != y || !Some.Contains(p.Index)) continue;
                    for (int i = 0; i < have.Length; i++)
                        if (!mask[i]) Assert.That(BitConverter.SingleToUInt32Bits(have[i]), Is.Zero, $"{context}[{i}]");
                }
            }
        }
    }

    [Test]
    public void What_y_has_is_not_read_where_its_factor_is_0()
    {
        using Workbench bench = device.Open();
        DeviceParameters p = ParameterTests.Filled(bench);
        p.Upload(0, ParameterSlot.Score, Values.Constant(p.Parameters[0].Elements, float.NaN));
        p.Combine([0], ElementFunction.Absolute, ParameterSlot.Value, ParameterSlot.Score);
        Assert.That(Workbench.Read(p, 0, ParameterSlot.Score), Is.EqualTo(Workbench.Read(p, 0, ParameterSlot.Value).Select(MathF.Abs)));
    }

    [Test]
    public void A_dense_gradient_scores_pruned_elements_too()
    {
        using Workbench bench = device.Open();
        DeviceParameters p = bench.Parameters((ParameterKind.Weight, new FilterShape(2, 1, 2, 2)));
        p.Upload(0, ParameterSlot.Value, [1, 2, 3, 4, 5, 6, 7, 8]);
        p.SetMask(0, new Mask(8) { [1] = false, [6] = false });
        p.Upload(0, ParameterSlot.Gradient, [-1, -2, 3, 4, 5, 6, -7, 8]);
        p.Combine([0], ElementFunction.Absolute, ParameterSlot.Gradient, ParameterSlot.Score, dense: true);
        Assert.That(Workbench.Read(p, 0, ParameterSlot.Score), Is.EqualTo((float[])[1, 2, 3, 4, 5, 6, 7, 8]));
        p.Combine([0], ElementFunction.Square, ParameterSlot.Gradient, ParameterSlot.Score, a: 1, b: 10);
        Assert.That(Workbench.Read(p, 0, ParameterSlot.Score), Is.EqualTo((float[])[11, 0, 39, 56, 75, 96, 0, 144]));
    }

    [TestCase(ParameterSlot.Value)]
    [TestCase(ParameterSlot.State0)]
    [TestCase(ParameterSlot.State1)]
    public void Values_and_state_are_never_dense(ParameterSlot slot)
    {
        using Workbench bench = device.Open();
        DeviceParameters p = ParameterTests.Filled(bench);
        Assert.That(() => p.Combine([0], ElementFunction.Identity, ParameterSlot.Gradient, slot, dense: true), Throws.ArgumentException);
    }

    [Test]
    public void Running_statistics_take_no_part()
    {
        using Workbench bench = device.Open();
        DeviceParameters p = ParameterTests.Filled(bench);
        Assert.That(() => p.Combine([5], ElementFunction.Identity, ParameterSlot.Value, ParameterSlot.Score), Throws.ArgumentException);
    }

    [Test]
    public void A_step_goes_on_from_state_that_was_combined()
    {
        var rule = new UpdateRule(UpdateKind.Sgd, 0.05f, 0, true, 0.9f, false, 0, 0, 0, 1);
        using Workbench reference = DeviceCase.OpenReference(), bench = device.Open();
        DeviceParameters[] both = [Masked(reference), Masked(bench)];
        foreach (DeviceParameters p in both)
        {
            foreach (int index in Some) p.SetMask(index, Values.Mask(80, p.Parameters[index].Elements, 0.05));
            p.Update(rule);
            p.Combine(Some, ElementFunction.Product, ParameterSlot.State0, ParameterSlot.State0, 0.5f, 2);
            p.Update(rule);
        }
        foreach (int index in Some)
            foreach (ParameterSlot slot in (ParameterSlot[])[ParameterSlot.Value, ParameterSlot.State0])
                Outputs.AssertClose(Workbench.Read(both[0], index, slot), Workbench.Read(both[1], index, slot), 2e-6, 1e-5, $"{index} {slot}");
    }

    /// <summary>All slots filled; some parameters pruned, with gradients there that are not numbers.</summary>
    internal static DeviceParameters Masked(Workbench bench)
    {
        DeviceParameters p = ParameterTests.Filled(bench);
        foreach (Parameter parameter in p.Parameters.Where(q => q.IsTrained))
        {
            foreach (ParameterSlot slot in Enum.GetValues<ParameterSlot>())
                p.Upload(parameter.Index, slot, Values.Random(100 + 10 * (ulong)slot + (ulong)parameter.Index, parameter.Elements));
        }
        foreach (int index in (int[])[0, 2, 7, 9])
        {
            Mask mask = Values.Mask(70 + (ulong)index, p.Parameters[index].Elements, 0.4);
            p.SetMask(index, mask);
            float[] gradient = Values.Random(90 + (ulong)index, mask.Length);
            for (int i = 0; i < gradient.Length; i++)
                if (!mask[i]) gradient[i] = float.NaN;
            p.Upload(index, ParameterSlot.Gradient, gradient);
        }
        return p;
    }
}
