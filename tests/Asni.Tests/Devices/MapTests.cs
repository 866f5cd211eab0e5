using System.Collections.Immutable;
using Asni.Devices;
using Asni.Networks;
using Asni.Tensors;
using Asni.Tests.Reference;

namespace Asni.Tests.Devices;

/// <summary>What a network computes with in place of its weights, and the gradients of weights and gates.</summary>
[TestFixtureSource(typeof(DeviceCase), nameof(DeviceCase.All))]
internal class MapTests(DeviceCase device) : DeviceTests
{
    private static readonly int[] s_some = [0, 7, 9];
    private static readonly float[] s_own = [0.3f, 0.2f, 0.7f];

    private static readonly ElementMap[] s_maps =
    [
        new(MapFunction.SoftThreshold),
        new(MapFunction.SignedPower, A: 1),
        new(MapFunction.SignedPower, A: 2),
        new(MapFunction.SignedPower, A: 3.5f),
        new(MapFunction.SigmoidGate, A: 5, B: 2, Penalty: 0.1f),
        new(MapFunction.LinearGate, Penalty: 0.1f),
        new(MapFunction.HardConcrete, A: 2f / 3, B: -1.6f, Penalty: 0.1f, Noise: 1),
        new(MapFunction.HardConcrete, A: 1, B: -1.6f),
        new(MapFunction.GaussianNoise, Penalty: 0.1f, Noise: 1),
        new(MapFunction.NoiseThreshold, A: 0.5f),
    ];

    [TestCaseSource(nameof(s_maps))]
    public void Values_and_gradients_agree_with_differences_of_the_reference(object given)
    {
        var map = (ElementMap)given;
        using Workbench reference = DeviceCase.OpenReference(), bench = device.Open();
        DeviceParameters expected = Filled(reference), actual = Filled(bench);
        float[][] weights = [.. s_some.Select(p => Workbench.Read(actual, p, ParameterSlot.Value))];
        float[] own = map.HasOwnNumbers ? s_own : [];
        foreach (DeviceParameters p in (DeviceParameters[])[expected, actual]) p.MapValues(s_some, map, own);
        foreach (int p in s_some)
        {
            Outputs.AssertClose(Workbench.Read(expected, p, ParameterSlot.Value), Workbench.Read(actual, p, ParameterSlot.Value), 2e-6, 2e-6, $"{map.Function}: {p}");
            Mask mask = Workbench.MaskOf(actual, p);
            float[] values = Workbench.Read(actual, p, ParameterSlot.Value);
            for (int i = 0; i < values.Length; i++)
                if (!mask[i]) Assert.That(BitConverter.SingleToUInt32Bits(values[i]), Is.Zero);
        }
        if (map.Function == MapFunction.NoiseThreshold)
        {
            Assert.That(() => actual.MapGradients(s_some, map), Throws.ArgumentException);
            actual.RestoreValues(s_some);
        }
        else
        {
            foreach (DeviceParameters p in (DeviceParameters[])[expected, actual]) p.MapGradients(s_some, map, own);
            foreach (int p in s_some)
                foreach (ParameterSlot slot in (ParameterSlot[])[ParameterSlot.Gradient, ParameterSlot.GateGradient])
                    Outputs.AssertClose(Workbench.Read(expected, p, slot), Workbench.Read(actual, p, slot), 2e-5, 2e-5, $"{map.Function}: {slot} of {p}");
        }
        for (int k = 0; k < s_some.Length; k++) Assert.That(Workbench.Read(actual, s_some[k], ParameterSlot.Value), Is.EqualTo(weights[k]), "values are the weights again");
    }

    [Test]
    public void Power_1_leaves_every_bit_and_zeros_stay()
    {
        using Workbench bench = device.Open();
        DeviceParameters p = bench.Parameters((ParameterKind.Weight, new FilterShape(2, 2, 1, 1)));
        float[] weights = [0.1f, 0, -3, 1e-30f], gradient = [1, 2, 3, -4];
        p.Upload(0, ParameterSlot.Value, weights);
        p.Upload(0, ParameterSlot.Gradient, gradient);
        p.MapValues([0], new ElementMap(MapFunction.SignedPower, A: 1));
        Assert.That(Workbench.Read(p, 0, ParameterSlot.Value), Is.EqualTo(weights));
        p.MapGradients([0], new ElementMap(MapFunction.SignedPower, A: 1));
        Assert.That(Workbench.Read(p, 0, ParameterSlot.Gradient), Is.EqualTo(gradient));
        p.MapValues([0], new ElementMap(MapFunction.SignedPower, A: 2));
        Assert.That(Workbench.Read(p, 0, ParameterSlot.Value)[1], Is.Zero);
    }

    /// <summary>Schwarz et al. 2021, equation 3: alpha 2, w (.5, -.3), gradient (1, 1).</summary>
    [Test]
    public void Powers_and_soft_thresholds_by_hand()
    {
        using Workbench bench = device.Open();
        DeviceParameters p = bench.Parameters((ParameterKind.Weight, new FilterShape(3, 1, 1, 1)));
        Map(new ElementMap(MapFunction.SignedPower, A: 2), [], [0.5f, -0.3f, 1], [1, 1, 1]);
        Expect(ParameterSlot.Gradient, [1, 0.6f, 2]);
        // STR with s = -5: a = 0.006693 (Kusupati et al. 2020).
        float a = (float)ReferenceMaps.Logistic(-5);
        Map(new ElementMap(MapFunction.SoftThreshold), [a], [0.5f, -0.004f, 0.02f], [1, 1, -2]);
        Expect(ParameterSlot.Gradient, [1, 0, -2]);
        var sums = new SignStatistics[1];
        p.SumBySign([0], [0], sums, ParameterSlot.GateGradient);
        Assert.That(-a * (1 - a) * (sums[0].SumAbove + sums[0].SumBelow), Is.EqualTo(0.006648).Within(1e-6));

        void Map(ElementMap map, float[] own, float[] weights, float[] gradient)
        {
            p.Upload(0, ParameterSlot.Value, weights);
            p.Upload(0, ParameterSlot.Gradient, gradient);
            p.MapValues([0], map, own);
            Expect(ParameterSlot.Value, map.Function == MapFunction.SignedPower ? [0.25f, -0.09f, 1] : [0.493307f, 0, 0.013307f]);
            p.MapGradients([0], map, own);
        }

        void Expect(ParameterSlot slot, float[] numbers) => Outputs.AssertClose(numbers, Workbench.Read(p, 0, slot), 1e-6, 1e-6, $"{slot}");
    }

    /// <summary>P(z > 0) at log alpha -4, 0, 4 is .0831, .8318, .9963; the test gate there is 0, .5, 1 (Louizos, Welling, Kingma 2018).</summary>
    [Test]
    public void Hard_concrete_gates_by_hand()
    {
        const int draws = 100_000;
        using Workbench bench = device.Open();
        DeviceParameters p = bench.Parameters((ParameterKind.Weight, new FilterShape(draws, 3, 1, 1)));
        var noise = new float[3 * draws];
        var random = SplitMix64.Fork(5);
        for (int i = 0; i < noise.Length; i++)
        {
            double u = random.NextDouble() + 1e-12;
            noise[i] = (float)Math.Log(u / (1 - u));
        }
        p.Upload(0, ParameterSlot.Value, Values.Constant(3 * draws, 1));
        p.Upload(0, ParameterSlot.Gate, [.. Enumerable.Range(0, 3 * draws).Select(i => (i % 3 - 1) * 4f)]);
        p.Upload(0, ParameterSlot.Score, noise);
        p.MapValues([0], new ElementMap(MapFunction.HardConcrete, A: 2f / 3, Noise: 1));
        float[] gates = Workbench.Read(p, 0, ParameterSlot.Value);
        double[] open = [.. Enumerable.Range(0, 3).Select(k => gates.Where((g, i) => i % 3 == k && g > 0).Count() / (double)draws)];
        Assert.That(open, Is.EqualTo((double[])[0.0831, 0.8318, 0.9963]).Within(0.01));
        p.RestoreValues([0]);
        p.MapValues([0], new ElementMap(MapFunction.HardConcrete, A: 1));
        Assert.That(Workbench.Read(p, 0, ParameterSlot.Value)[..3], Is.EqualTo((float[])[0, 0.5f, 1]).Within(1e-6f));
    }

    [Test]
    public void The_divergence_of_the_reference_is_the_papers()
    {
        Assert.That(((double[])[-8, 0]).Select(ReferenceMaps.Divergence), Is.EqualTo((double[])[4.636, 0.431]).Within(5e-4));
        Assert.That(ReferenceMaps.Divergence(3), Is.EqualTo(0.0254).Within(5e-5));
    }

    [TestCase(UpdateKind.Sgd, 0f)]
    [TestCase(UpdateKind.Sgd, 0.9f)]
    [TestCase(UpdateKind.Adam, 0f)]
    public void Gates_are_updated_as_weights_are_and_those_of_pruned_weights_too(UpdateKind kind, float momentum)
    {
        var rule = new UpdateRule(kind, 0.05f, 0.01f, false, momentum, false, 0.9f, 0.999f, 1e-8f, 1);
        using Workbench reference = DeviceCase.OpenReference(), bench = device.Open();
        DeviceParameters expected = Filled(reference), actual = Filled(bench);
        float[] before = Workbench.Read(actual, 0, ParameterSlot.Value);
        foreach (DeviceParameters p in (DeviceParameters[])[expected, actual])
        {
            p.UpdateGates(s_some, rule);
            p.UpdateGates(s_some, rule with { Step = 2 });
        }
        foreach (int p in s_some)
            foreach (ParameterSlot slot in (ParameterSlot[])[ParameterSlot.Gate, ParameterSlot.GateState0, ParameterSlot.GateState1])
                if (slot == ParameterSlot.Gate || kind == UpdateKind.Adam) Outputs.AssertClose(Workbench.Read(expected, p, slot), Workbench.Read(actual, p, slot), 2e-6, 2e-5, $"{slot} of {p}");
        Assert.That(Workbench.Read(actual, 0, ParameterSlot.Value), Is.EqualTo(before));
    }

    [Test]
    public void Numbers_that_are_none_stay_so([Values(MapFunction.SoftThreshold, MapFunction.SignedPower, MapFunction.SigmoidGate, MapFunction.LinearGate, MapFunction.HardConcrete, MapFunction.GaussianNoise)] MapFunction function)
    {
        using Workbench bench = device.Open();
        DeviceParameters p = bench.Parameters((ParameterKind.Weight, new FilterShape(3, 1, 1, 1)));
        p.Upload(0, ParameterSlot.Value, [1, float.NaN, -1]);
        p.MapValues([0], new ElementMap(function, A: 2, B: 1), function == MapFunction.SoftThreshold ? [0.5f] : []);
        Assert.That(Workbench.Read(p, 0, ParameterSlot.Value).Select(float.IsNaN), Is.EqualTo((bool[])[false, true, false]));
    }

    [TestCase(0)]
    [TestCase(1)]
    [TestCase(700)]
    [TestCase(long.MaxValue)]
    public void The_largest_are_marked_and_masks_stay(long keep)
    {
        using Workbench reference = DeviceCase.OpenReference(), bench = device.Open();
        DeviceParameters expected = Filled(reference), actual = Filled(bench);
        // Many are equal.
        foreach (DeviceParameters p in (DeviceParameters[])[expected, actual])
            foreach (int index in s_some) p.Upload(index, ParameterSlot.Value, [.. Values.Random(3 + (ulong)index, p.Parameters[index].Elements).Select(v => MathF.Round(8 * v) / 8)]);
        keep = Math.Min(keep, s_some.Sum(actual.Live));
        Mask[] masks = [.. s_some.Select(p => Workbench.MaskOf(actual, p))];
        float[] values = Workbench.Read(actual, 7, ParameterSlot.Value);
        foreach (DeviceParameters p in (DeviceParameters[])[expected, actual]) p.MarkLargest(s_some, keep);
        foreach (int p in s_some) Assert.That(Workbench.Read(actual, p, ParameterSlot.Gate), Is.EqualTo(Workbench.Read(expected, p, ParameterSlot.Gate)), $"{p}");
        Assert.That(s_some.Sum(p => Workbench.Read(actual, p, ParameterSlot.Gate).Sum()), Is.EqualTo(keep));
        Assert.That(actual.GetMask(0), Is.Null);
        Assert.That(Workbench.Read(actual, 7, ParameterSlot.Value), Is.EqualTo(values));
        Assert.That(Workbench.MaskOf(actual, 7).Live, Is.EqualTo(masks[1].Live));
        Assert.That(() => actual.MarkLargest([0], actual.Live(0) + 1), Throws.TypeOf<ArgumentOutOfRangeException>());
    }

    [TestCase(4, 2, Ranking.Magnitude)]
    [TestCase(4, 1, Ranking.Score)]
    [TestCase(3, 2, Ranking.Magnitude)]
    [TestCase(12, 5, Ranking.Magnitude)]
    [TestCase(2, 2, Ranking.Magnitude)]
    [TestCase(2, 0, Ranking.Magnitude)]
    public void The_largest_of_each_group_are_marked(int of, int keep, Ranking ranking)
    {
        using Workbench reference = DeviceCase.OpenReference(), bench = device.Open();
        // Two convolutions, and linear layers after one, after a single channel and after another linear layer.
        ImmutableArray<Parameter> weights =
        [
            Weight(0, new Shape(37, 24, 3, 3), new FilterShape(37, 24, 3, 3)),
            Weight(1, new Shape(70, 12, 1, 1), new FilterShape(70, 12, 1, 1)),
            Weight(2, new Shape(40, 60), new FilterShape(40, 15, 2, 2)),
            Weight(3, new Shape(19, 36), new FilterShape(19, 1, 6, 6)),
            Weight(4, new Shape(5, 48), new FilterShape(5, 48, 1, 1)),
        ];
        var gates = new float[2][][];
        foreach ((int i, Workbench b) in ((int, Workbench)[])[(0, reference), (1, bench)])
        {
            DeviceParameters p = b.Parameters(weights);
            for (int k = 0; k < weights.Length; k++)
            {
                // Many are equal, also in magnitude; some parameters have pruned elements.
                p.Upload(k, ranking.Slot(), [.. Values.Random(3 + (ulong)k, p.Parameters[k].Elements).Select(v => MathF.Round(8 * v) / 8)]);
                if (k % 2 == 0) p.SetMask(k, Values.Mask(9 + (ulong)k, p.Parameters[k].Elements, 0.6));
            }
            for (int k = 0; k < weights.Length; k++) p.MarkGroups(k, of, keep, ranking);
            gates[i] = [.. weights.Select((_, k) => Workbench.Read(p, k, ParameterSlot.Gate))];
        }
        for (int k = 0; k < weights.Length; k++) Assert.That(gates[1][k], Is.EqualTo(gates[0][k]), $"{k}");
        Assert.That(gates[1][1].Sum(), Is.EqualTo(70 * 12 / of * keep), "exactly N of each M where all live");

        static Parameter Weight(int index, Shape shape, FilterShape filter) => new(index, $"p{index}", ParameterKind.Weight, shape, filter);
    }

    [Test]
    public void Groups_have_no_rest_and_a_NaN_is_marked()
    {
        using Workbench bench = device.Open();
        DeviceParameters p = bench.Parameters((ParameterKind.Weight, new FilterShape(1, 8, 1, 1)));
        p.Upload(0, ParameterSlot.Value, [1, -1, 1, 3, float.NaN, 2, -2, 1]);
        p.MarkGroups(0, of: 4, keep: 2);
        Assert.That(Workbench.Read(p, 0, ParameterSlot.Gate), Is.EqualTo((float[])[1, 0, 0, 1, 1, 1, 1, 0]));
        Assert.That(() => p.MarkGroups(0, of: 3, keep: 1), Throws.ArgumentException);
    }

    [Test]
    public void A_gate_between_the_borders_stays_as_it_is()
    {
        using Workbench bench = device.Open();
        DeviceParameters p = bench.Parameters((ParameterKind.Weight, new FilterShape(8, 1, 1, 1)));
        p.Upload(0, ParameterSlot.Value, [1, -1, 0.9f, 1.2f, -0.5f, 0.95f, 1.1f, float.NaN]);
        p.Upload(0, ParameterSlot.Gate, [1, 0, 1, 0, 0.25f, 0, 0.5f, 0.75f]);
        p.MoveGates([0], below: 0.9f, above: 1.1f);
        Assert.That(Workbench.Read(p, 0, ParameterSlot.Gate), Is.EqualTo((float[])[1, 0, 0, 1, 0, 0, 0.5f, 0.75f]));
        Assert.That(() => p.MoveGates([0], 1, 0.9f), Throws.TypeOf<ArgumentOutOfRangeException>());
    }

    [Test]
    public void Gates_of_many_parameters_move_as_the_reference_has_it()
    {
        using Workbench reference = DeviceCase.OpenReference(), bench = device.Open();
        DeviceParameters expected = Filled(reference), actual = Filled(bench);
        foreach (DeviceParameters p in (DeviceParameters[])[expected, actual]) p.MoveGates(s_some, 0.3f, 0.6f);
        foreach (int p in s_some) Assert.That(Workbench.Read(actual, p, ParameterSlot.Gate), Is.EqualTo(Workbench.Read(expected, p, ParameterSlot.Gate)), $"{p}");
    }

    [Test]
    public void Numbers_of_parameters_are_counted()
    {
        using Workbench bench = device.Open();
        DeviceParameters p = Filled(bench);
        Assert.That(() => p.MapValues(s_some, new ElementMap(MapFunction.SoftThreshold), [1]), Throws.ArgumentException);
        Assert.That(() => p.MapValues([5], new ElementMap(MapFunction.LinearGate)), Throws.ArgumentException, "running statistics");
    }

    private static DeviceParameters Filled(Workbench bench)
    {
        DeviceParameters p = ParameterTests.Filled(bench);
        foreach (int index in s_some)
        {
            foreach (ParameterSlot slot in (ParameterSlot[])[ParameterSlot.Value, ParameterSlot.Gradient, ParameterSlot.Score, ParameterSlot.Gate, ParameterSlot.GateGradient])
                p.Upload(index, slot, Values.Random(100 + 10 * (ulong)slot + (ulong)index, p.Parameters[index].Elements));
            p.Upload(index, ParameterSlot.GateState0, new float[p.Parameters[index].Elements]);
        }
        p.SetMask(7, Values.Mask(77, p.Parameters[7].Elements, 0.4));
        return p;
    }
}
