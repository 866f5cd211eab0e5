using System.Collections.Immutable;
using Asni.Cpu;
using Asni.Devices;
using Asni.Networks;
using Asni.Tensors;

namespace Asni.Tests.Cpu;

public class ThresholdTests
{
    private static readonly ImmutableArray<Parameter> Several =
    [
        CpuTest.Filter(0, 10, 3, 3, 3), CpuTest.Vector(1, 10, ParameterKind.Bias), CpuTest.Filter(2, 65, 10, 5, 3), CpuTest.Filter(3, 7, 65, 1, 1),
        CpuTest.Filter(4, 96, 130, 2, 2),
    ];

    private static readonly int[] Weights = [0, 2, 3, 4];

    public enum Values { Normal, TwoValued, FewValues, WithZeros, WideRange, AllZero }

    [Test]
    public void Exactly_the_wanted_elements_survive([Values(1, 2, 3)] int threads, [Values] Values kind, [Values(1, 0.5, 0.05)] double density)
    {
        using var device = new CpuDevice(threads);
        using DeviceParameters parameters = Create(device, kind, density);
        long live = Weights.Sum(parameters.Live);
        long equalInside = live * 3 / 7;
        foreach (long keep in (long[])[live, live - 1, equalInside, live / 100, 1, 0])
            CheckCut(parameters, Weights, keep);
    }

    [Test]
    public void Ties_go_by_parameter_index_whatever_the_order_they_are_named_in()
    {
        using var device = new CpuDevice(2);
        using DeviceParameters parameters = Create(device, Values.TwoValued, 1);
        CheckCut(parameters, [4, 0, 3, 2], 2000);
        Assert.That(parameters.Live(0), Is.GreaterThan(0), "the first parameter's ties are kept first");
    }

    [Test]
    public void A_parameter_that_is_not_named_is_left_alone()
    {
        using var device = new CpuDevice(2);
        using DeviceParameters parameters = Create(device, Values.Normal, 1);
        float[] bias = CpuTest.Read(parameters, 1), other = CpuTest.Read(parameters, 3);
        CheckCut(parameters, [0, 2, 4], 500);
        Assert.That(CpuTest.Read(parameters, 1), Is.EqualTo(bias));
        Assert.That(CpuTest.Read(parameters, 3), Is.EqualTo(other));
        Assert.That(parameters.GetMask(3), Is.Null);
    }

    [Test]
    public void Pruned_state_becomes_zero_and_kept_state_stays()
    {
        using var device = new CpuDevice(1);
        using DeviceParameters parameters = Create(device, Values.Normal, 1);
        float[] state = CpuTest.Random(Several[2].Elements, 77);
        parameters.Upload(2, ParameterSlot.State0, state);
        parameters.Upload(2, ParameterSlot.State1, state);
        parameters.ApplyThreshold([2], parameters.FindThreshold([2], 4000), new long[1]);
        Mask mask = parameters.GetMask(2)!;
        float[] expected = state.Select((s, i) => mask[i] ? s : 0).ToArray();
        Assert.That(CpuTest.Read(parameters, 2, ParameterSlot.State0), Is.EqualTo(expected));
        Assert.That(CpuTest.Read(parameters, 2, ParameterSlot.State1), Is.EqualTo(expected));
    }

    [Test]
    public void Infinities_rank_above_all_numbers()
    {
        using var device = new CpuDevice(1);
        using DeviceParameters parameters = Create(device, Values.Normal, 1);
        float[] values = CpuTest.Random(Several[0].Elements, 1);
        values[17] = float.NegativeInfinity;
        values[200] = float.PositiveInfinity;
        parameters.Upload(0, ParameterSlot.Value, values);
        Assert.That(parameters.FindThreshold(Weights, 1), Is.EqualTo(new Threshold(float.PositiveInfinity, 1)));
        CheckCut(parameters, Weights, 3);
        CheckCut(parameters, Weights, 1);
    }

    [Test]
    public void NaN_is_refused_with_the_parameters_name([Values(0, 12, 9749)] int place, [Values] bool negative)
    {
        using var device = new CpuDevice(2);
        using DeviceParameters parameters = Create(device, Values.Normal, 1);
        float[] values = CpuTest.Random(Several[2].Elements, 1);
        values[place] = negative ? BitConverter.UInt32BitsToSingle(0xFF80_0001) : float.NaN;
        parameters.Upload(2, ParameterSlot.Value, values);
        Assert.That(() => parameters.FindThreshold(Weights, 100), Throws.TypeOf<DivergenceException>().With.Message.Contains("layer2.weight"));
    }

    [Test]
    public void Keeping_more_than_live_or_naming_one_twice_is_refused()
    {
        using var device = new CpuDevice(1);
        using DeviceParameters parameters = Create(device, Values.Normal, 0.5);
        Assert.That(() => parameters.FindThreshold(Weights, Weights.Sum(parameters.Live) + 1), Throws.InstanceOf<ArgumentException>());
        Assert.That(() => parameters.FindThreshold(Weights, -1), Throws.InstanceOf<ArgumentException>());
        Assert.That(() => parameters.FindThreshold([0, 0], 1), Throws.InstanceOf<ArgumentException>());
    }

    [Test]
    public void Sums_by_sign_agree_with_the_definition([Values(1, 2)] int threads, [Values] Values kind, [Values(1, 0.3)] double density)
    {
        using var device = new CpuDevice(threads);
        using DeviceParameters parameters = Create(device, kind, density);
        int[] order = [4, 1, 0, 3];
        float[] pivots = [0, 0.25f, -0.5f, 0];
        var sums = new SignStatistics[4];
        parameters.SumBySign(order, pivots, sums);
        for (int k = 0; k < order.Length; k++)
        {
            float[] live = LiveValues(parameters, order[k]);
            double[] above = live.Where(v => v > pivots[k]).Select(v => (double)v).ToArray(), below = live.Where(v => v < pivots[k]).Select(v => (double)v).ToArray();
            Assert.That((sums[k].CountAbove, sums[k].CountBelow), Is.EqualTo(((long)above.Length, (long)below.Length)));
            Assert.That(sums[k].SumAbove, Is.EqualTo(above.Sum()).Within(1e-10).Percent);
            Assert.That(sums[k].SumBelow, Is.EqualTo(below.Sum()).Within(1e-10).Percent);
        }
    }

    [Test]
    public void Assigning_by_sign_leaves_equal_and_pruned_elements([Values(1, 2)] int threads, [Values] Values kind, [Values(1, 0.3)] double density)
    {
        using var device = new CpuDevice(threads);
        using DeviceParameters parameters = Create(device, kind, density);
        foreach (int p in (int[])[0, 4])
        {
            float[] before = CpuTest.Read(parameters, p);
            Mask? mask = parameters.GetMask(p);
            parameters.AssignBySign(p, -0.5f, 0.125f, -3);
            float[] expected = before.Select((v, i) => mask is { } m && !m[i] ? 0 : v > -0.5f ? 0.125f : v < -0.5f ? -3 : v).ToArray();
            Assert.That(CpuTest.Read(parameters, p), Is.EqualTo(expected));
        }
    }

    /// <summary>The same cut by a full sort in PyTorch's order.</summary>
    private static void CheckCut(DeviceParameters parameters, int[] which, long keep)
    {
        var elements = new List<(float Magnitude, int Parameter, int Index)>();
        var values = which.ToDictionary(p => p, p => CpuTest.Read(parameters, p));
        foreach (int p in which)
        {
            Mask? mask = parameters.GetMask(p);
            for (int i = 0; i < values[p].Length; i++)
                if (mask is not { } m || m[i]) elements.Add((MathF.Abs(values[p][i]), p, i));
        }
        elements.Sort((a, b) => a.Magnitude != b.Magnitude ? b.Magnitude.CompareTo(a.Magnitude) : (a.Parameter, a.Index).CompareTo((b.Parameter, b.Index)));
        var expected = which.ToDictionary(p => p, p => new Mask(values[p].Length, live: false));
        foreach ((_, int p, int i) in elements.Take((int)keep)) expected[p][i] = true;

        Threshold threshold = parameters.FindThreshold(which, keep);
        if (keep > 0)
        {
            float last = elements[(int)keep - 1].Magnitude;
            Assert.That(threshold, Is.EqualTo(new Threshold(last, keep - elements.Count(e => e.Magnitude > last))));
        }
        var live = new long[which.Length];
        parameters.ApplyThreshold(which, threshold, live);
        Assert.That(live.Sum(), Is.EqualTo(keep));
        for (int k = 0; k < which.Length; k++)
        {
            int p = which[k];
            Mask mask = parameters.GetMask(p) ?? new Mask(values[p].Length);
            Assert.That(mask.Words.SequenceEqual(expected[p].Words), Is.True, $"mask of parameter {p} at keep {keep}");
            Assert.That((live[k], parameters.Live(p)), Is.EqualTo((mask.Live, mask.Live)));
            uint[] kept = values[p].Select((v, i) => expected[p][i] ? BitConverter.SingleToUInt32Bits(v) : 0).ToArray();
            Assert.That(CpuTest.Read(parameters, p).Select(BitConverter.SingleToUInt32Bits).SequenceEqual(kept), Is.True, $"values of parameter {p}");
        }
    }

    private static DeviceParameters Create(CpuDevice device, Values kind, double density)
    {
        DeviceParameters parameters = device.CreateParameters(Several);
        foreach (Parameter p in Several)
        {
            float[] values = CpuTest.Random(p.Elements, (ulong)p.Index + 20);
            for (int i = 0; i < values.Length; i++) values[i] = Make(kind, values[i]);
            parameters.Upload(p.Index, ParameterSlot.Value, values);
            if (density < 1 && p.IsWeight) parameters.SetMask(p.Index, CpuTest.RandomMask(p.Elements, density, (ulong)p.Index));
        }
        return parameters;
    }

    private static float Make(Values kind, float normal) => kind switch
    {
        Values.TwoValued => normal < 0 ? -0.5f : 0.5f,
        Values.FewValues => MathF.Round(normal * 4) / 4,
        Values.WithZeros => MathF.Abs(normal) < 1 ? MathF.CopySign(0, normal) : normal,
        Values.WideRange => normal * MathF.Pow(10, normal * 20),
        Values.AllZero => MathF.CopySign(0, normal),
        _ => normal,
    };

    private static float[] LiveValues(DeviceParameters parameters, int p)
    {
        Mask? mask = parameters.GetMask(p);
        return CpuTest.Read(parameters, p).Where((_, i) => mask is not { } m || m[i]).ToArray();
    }
}
