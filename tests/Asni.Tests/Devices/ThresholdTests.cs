using Asni.Devices;
using Asni.Networks;
using Asni.Tensors;

namespace Asni.Tests.Devices;

/// <summary>The global cut through magnitudes, and sums and assignments by side.</summary>
[TestFixtureSource(typeof(DeviceCase), nameof(DeviceCase.All))]
public class ThresholdTests(DeviceCase device) : DeviceTests
{
    private static readonly int[] Weights = [0, 2, 7, 8, 9, 10];

    private static IEnumerable<TestCaseData> Distributions()
    {
        static TestCaseData Case(string name, Func<float[], float[]> map) => new TestCaseData(map).SetArgDisplayNames(name);
        yield return Case("uniform", v => v);
        yield return Case("seven levels, all tied", v => [.. v.Select(x => MathF.Round(3 * x) / 3)]);
        yield return Case("one magnitude", v => [.. v.Select(x => MathF.CopySign(0.25f, x))]);
        yield return Case("zeros of both signs", v => [.. v.Select(x => MathF.Abs(x) < 0.5f ? MathF.CopySign(0, x) : x)]);
        yield return Case("neighbours in the last bits", v =>
            [.. v.Select(x => BitConverter.Int32BitsToSingle(0x3e800000 + (int)(x * 5)) * MathF.Sign(x + 2))]);
        yield return Case("from subnormal to infinite", v => [.. v.Select(x => MathF.CopySign(MathF.Pow(10, 90 * MathF.Abs(x) - 45), x))]);
    }

    [TestCaseSource(nameof(Distributions))]
    public void The_cut_keeps_exactly_K_and_the_same_elements_as_the_reference(Func<float[], float[]> map)
    {
        long total = Total(Weights);
        foreach (long keep in (long[])[total, total - 1, total * 9 / 10, total / 2, total / 3, total / 33, 7, 1, 0])
            AssertSameSurvivors(Weights, map, keep);
    }

    [Test]
    public void Repeated_cuts_prune_within_what_the_last_one_left()
    {
        using Workbench reference = DeviceCase.OpenReference(), bench = device.Open();
        DeviceParameters expected = Mapped(reference, v => v), actual = Mapped(bench, v => v);
        foreach (int index in Weights)
        {
            actual.Upload(index, ParameterSlot.State0, Values.Constant(actual.Parameters[index].Elements, 1));
            actual.Upload(index, ParameterSlot.State1, Values.Constant(actual.Parameters[index].Elements, 1));
        }
        Mask[]? previous = null;
        foreach (double density in (double[])[0.8, 0.5, 0.5, 0.1, 0.01])
        {
            long keep = (long)(Total(Weights) * density);
            foreach (DeviceParameters p in (DeviceParameters[])[expected, actual])
                p.Prune(Weights, keep, new long[Weights.Length]);
            Mask[] masks = [.. Weights.Select(i => Workbench.MaskOf(actual, i))];
            Assert.That(masks.Sum(m => m.Live), Is.EqualTo(keep));
            Assert.That(masks.Select(m => m.Words.ToArray()),
                Is.EqualTo(Weights.Select(i => Workbench.MaskOf(expected, i).Words.ToArray())));
            if (previous != null) Assert.That(masks.Zip(previous).All(m => m.First.IsSubsetOf(m.Second)));
            previous = masks;
            foreach (int index in Weights) ParameterTests.AssertPrunedIsZero(actual, index);
        }
    }

    [Test]
    public void A_cut_through_some_parameters_leaves_the_others()
    {
        int[] some = [2, 9];
        AssertSameSurvivors(some, v => [.. v.Select(x => MathF.Round(3 * x) / 3)], Total(some) / 2);
        AssertSameSurvivors([9], v => v, 1);
        AssertSameSurvivors([8], v => v, 0);
    }

    [Test]
    public void Ties_go_by_parameter_index_whatever_order_the_parameters_are_named_in() =>
        AssertSameSurvivors([9, 0, 2], v => [.. v.Select(x => MathF.CopySign(1, x))], 5000);

    [Test]
    public void Ties_of_hand_written_values_keep_the_lower_index()
    {
        using Workbench bench = device.Open();
        DeviceParameters p = bench.Parameters((ParameterKind.Weight, new FilterShape(2, 1, 2, 2)),
            (ParameterKind.Weight, new FilterShape(1, 3, 1, 1)));
        p.Upload(0, ParameterSlot.Value, [0.5f, -2, 0.1f, -0.5f, 0, 3, 0.5f, 0.2f]);
        p.Upload(1, ParameterSlot.Value, [-0.5f, 0.5f, 7]);
        var live = new long[2];
        Threshold cut = p.FindThreshold([0, 1], 6);
        p.ApplyThreshold([0, 1], cut, live);
        Assert.That(cut, Is.EqualTo(new Threshold(0.5f, 3)));
        Assert.That(live, Is.EqualTo((long[])[5, 1]));
        Assert.That(Workbench.Read(p, 0, ParameterSlot.Value), Is.EqualTo((float[])[0.5f, -2, 0, -0.5f, 0, 3, 0.5f, 0]));
        Assert.That(Workbench.Read(p, 1, ParameterSlot.Value), Is.EqualTo((float[])[0, 0, 7]));
    }

    [Test]
    public void A_NaN_among_the_values_is_an_error()
    {
        using Workbench bench = device.Open();
        DeviceParameters p = ParameterTests.Filled(bench);
        float[] values = Workbench.Read(p, 9, ParameterSlot.Value);
        values[^1] = float.NaN;
        p.Upload(9, ParameterSlot.Value, values);
        string fault = $"parameter {p.Parameters[9].Name} has NaN among its values";
        Assert.That(() => p.FindThreshold(Weights, 100), Throws.TypeOf<DivergenceException>().With.Message.StartsWith(fault));
        Assert.That(() => p.Prune(Weights, 100, new long[Weights.Length]), Throws.TypeOf<DivergenceException>().With.Message.StartsWith(fault));
        Assert.That(Workbench.Read(p, 9, ParameterSlot.Value), Is.EqualTo(values), "nothing is pruned");
    }

    [Test]
    public void Sums_by_side_agree_with_the_reference()
    {
        float[] pivots = [0, 0.3f, -0.2f, 0, 5, 0];
        SignStatistics[] expected = Sums(DeviceCase.OpenReference(), pivots), actual = Sums(device.Open(), pivots);
        for (int i = 0; i < Weights.Length; i++)
        {
            Assert.That((actual[i].CountAbove, actual[i].CountBelow), Is.EqualTo((expected[i].CountAbove, expected[i].CountBelow)),
                $"parameter {Weights[i]}");
            Assert.That(actual[i].SumAbove, Is.EqualTo(expected[i].SumAbove).Within(1e-9), $"parameter {Weights[i]}");
            Assert.That(actual[i].SumBelow, Is.EqualTo(expected[i].SumBelow).Within(1e-9), $"parameter {Weights[i]}");
        }
    }

    [Test]
    public void Elements_equal_to_the_pivot_belong_to_neither_side()
    {
        using Workbench bench = device.Open();
        DeviceParameters p = bench.Parameters((ParameterKind.Weight, new FilterShape(2, 1, 2, 2)));
        p.Upload(0, ParameterSlot.Value, [1, 2, 2, -3, 4, 0, 2, -1]);
        var mask = new Mask(8) { [5] = false };
        p.SetMask(0, mask);
        var sums = new SignStatistics[1];
        p.SumBySign([0], [2], sums);
        Assert.That(sums[0], Is.EqualTo(new SignStatistics(4, 1, -3, 3)));
        p.AssignBySign(0, 2, 10, -10);
        Assert.That(Workbench.Read(p, 0, ParameterSlot.Value), Is.EqualTo((float[])[-10, 2, 2, -10, 10, 0, 2, -10]));
    }

    [TestCase(0f)]
    [TestCase(0.25f)]
    public void Assigning_by_sign_agrees_with_the_reference(float pivot)
    {
        using Workbench reference = DeviceCase.OpenReference(), bench = device.Open();
        DeviceParameters expected = Masked(reference), actual = Masked(bench);
        foreach (int index in Weights)
        {
            expected.AssignBySign(index, pivot, 0.75f, -0.5f);
            actual.AssignBySign(index, pivot, 0.75f, -0.5f);
            Assert.That(Workbench.Read(actual, index, ParameterSlot.Value),
                Is.EqualTo(Workbench.Read(expected, index, ParameterSlot.Value)));
            ParameterTests.AssertPrunedIsZero(actual, index);
        }
    }

    private void AssertSameSurvivors(int[] parameters, Func<float[], float[]> map, long keep)
    {
        using Workbench reference = DeviceCase.OpenReference(), bench = device.Open();
        DeviceParameters expected = Mapped(reference, map), actual = Mapped(bench, map);
        long[] wanted = new long[parameters.Length], live = new long[parameters.Length];
        DeviceParameters pruned = Mapped(bench, map);
        Threshold cut = expected.FindThreshold(parameters, keep);
        expected.ApplyThreshold(parameters, cut, wanted);
        Assert.That(actual.FindThreshold(parameters, keep), Is.EqualTo(cut));
        actual.ApplyThreshold(parameters, cut, live);
        Assert.That(pruned.Prune(parameters, keep, live), Is.EqualTo(cut));
        foreach (int index in parameters) Assert.That(Workbench.MaskOf(pruned, index).Words.ToArray(), Is.EqualTo(Workbench.MaskOf(actual, index).Words.ToArray()));
        Assert.That(live.Sum(), Is.EqualTo(keep));
        Assert.That(live, Is.EqualTo(wanted), $"keep {keep}");
        foreach (Parameter p in expected.Parameters)
        {
            float[] values = Workbench.Read(expected, p.Index, ParameterSlot.Value);
            Assert.That(Workbench.Read(actual, p.Index, ParameterSlot.Value), Is.EqualTo(values), $"keep {keep}: {p.Name}");
            if (!parameters.Contains(p.Index)) continue;
            Mask mask = Workbench.MaskOf(actual, p.Index);
            Assert.That(mask.Words.ToArray(), Is.EqualTo(Workbench.MaskOf(expected, p.Index).Words.ToArray()), $"keep {keep}: {p.Name}");
            Assert.That(actual.Live(p.Index), Is.EqualTo(mask.Live));
        }
    }

    private static SignStatistics[] Sums(Workbench bench, float[] pivots)
    {
        using Workbench _ = bench;
        var sums = new SignStatistics[Weights.Length];
        Masked(bench).SumBySign(Weights, pivots, sums);
        return sums;
    }

    private static DeviceParameters Mapped(Workbench bench, Func<float[], float[]> map)
    {
        DeviceParameters p = ParameterTests.Filled(bench);
        foreach (int index in Weights) p.Upload(index, ParameterSlot.Value, map(Workbench.Read(p, index, ParameterSlot.Value)));
        return p;
    }

    private static DeviceParameters Masked(Workbench bench)
    {
        DeviceParameters p = ParameterTests.Filled(bench);
        foreach (int index in Weights) p.SetMask(index, Values.Mask((ulong)index, p.Parameters[index].Elements, 0.6));
        return p;
    }

    private static long Total(int[] parameters) => parameters.Sum(i =>
    {
        FilterShape f = ParameterTests.Kinds[i].Item2;
        return (long)f.Out * f.FanIn;
    });
}
