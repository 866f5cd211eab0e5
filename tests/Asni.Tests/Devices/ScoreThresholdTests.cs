using Asni.Devices;
using Asni.Networks;
using Asni.Tensors;

namespace Asni.Tests.Devices;

/// <summary>The global cut through signed scores, against a plain sort.</summary>
[TestFixtureSource(typeof(DeviceCase), nameof(DeviceCase.All))]
public class ScoreThresholdTests(DeviceCase device) : DeviceTests
{
    private static readonly int[] Weights = [0, 7, 8, 9];

    private static IEnumerable<TestCaseData> Distributions()
    {
        static TestCaseData Case(string name, Func<float[], float[]> map) => new TestCaseData(map).SetArgDisplayNames(name);
        yield return Case("both signs", v => v);
        yield return Case("all negative", v => [.. v.Select(x => -MathF.Abs(x))]);
        yield return Case("from 0 to 1", v => [.. v.Select(MathF.Abs)]);
        yield return Case("seven levels, all tied", v => [.. v.Select(x => MathF.Round(3 * x) / 3)]);
        yield return Case("one score", v => [.. v.Select(_ => -0.25f)]);
        yield return Case("zeros of both signs between subnormals", v =>
            [.. v.Select(x => MathF.Abs(x) < 0.3f ? MathF.CopySign(0, x) : MathF.CopySign(float.Epsilon, x))]);
        yield return Case("from minus infinity to infinity", v => [.. v.Select(x => MathF.CopySign(MathF.Pow(10, 90 * MathF.Abs(x) - 45), x))]);
        yield return Case("neighbours in the last bits", v =>
            [.. v.Select(x => BitConverter.UInt32BitsToSingle(0xbe800000 + (uint)(5 * MathF.Abs(x))))]);
    }

    [TestCaseSource(nameof(Distributions))]
    public void The_K_largest_scores_stay(Func<float[], float[]> map)
    {
        foreach (double density in (double[])[1, 0.6])
        {
            long live = Live(density);
            foreach (long keep in (long[])[live, live - 1, live / 3, 1, 0]) AssertCut(Weights, map, density, keep);
        }
    }

    [Test]
    public void Ties_go_by_parameter_and_element_whatever_order_the_parameters_are_named_in() => AssertCut([9, 0, 7], v => Values.Constant(v.Length, 1), 0.6, 3000);

    [Test]
    public void A_large_negative_score_goes_before_a_small_one()
    {
        using Workbench bench = device.Open();
        DeviceParameters p = bench.Parameters((ParameterKind.Weight, new FilterShape(2, 1, 2, 2)));
        p.Upload(0, ParameterSlot.Value, [1, 2, 3, 4, 5, 6, 7, 8]);
        p.Upload(0, ParameterSlot.Score, [-9, 0.5f, -0f, 0, -0.1f, 3, 0, 0.2f]);
        Assert.That(p.Prune([0], 5, new long[1], Ranking.Score), Is.EqualTo(new Threshold(0, 2, Ranking.Score)));
        Assert.That(Workbench.Read(p, 0, ParameterSlot.Value), Is.EqualTo((float[])[0, 2, 3, 4, 0, 6, 0, 8]));
    }

    [Test]
    public void Scores_are_zero_before_any_and_stay_where_weights_go()
    {
        using Workbench bench = device.Open();
        DeviceParameters p = ParameterTests.Filled(bench);
        Assert.That(Workbench.Read(p, 2, ParameterSlot.Score), Is.All.Zero);
        float[] scores = Values.Random(3, p.Parameters[2].Elements);
        p.SetMask(2, Values.Mask(1, scores.Length, 0.5));
        p.Upload(2, ParameterSlot.Score, scores);
        p.Prune([2], 100, new long[1], Ranking.Score);
        p.ResetState();
        Assert.That(Workbench.Read(p, 2, ParameterSlot.Score), Is.EqualTo(scores));
    }

    [Test]
    public void A_score_of_a_live_weight_that_is_NaN_is_an_error([Values] bool negative)
    {
        using Workbench bench = device.Open();
        DeviceParameters p = ParameterTests.Filled(bench);
        float[] scores = Values.Random(3, p.Parameters[9].Elements);
        scores[^1] = BitConverter.UInt32BitsToSingle(negative ? 0xFFC0_0000 : 0x7FC0_0000);
        p.Upload(9, ParameterSlot.Score, scores);
        // One that is pruned is nobody's concern.
        p.Upload(Weights[0], ParameterSlot.Score, Values.Constant(p.Parameters[Weights[0]].Elements, float.NaN));
        p.SetMask(Weights[0], new Mask(p.Parameters[Weights[0]].Elements, live: false));
        Assert.That(() => p.Prune(Weights, 100, new long[Weights.Length], Ranking.Score),
            Throws.TypeOf<DivergenceException>().With.Message.StartsWith($"parameter {p.Parameters[9].Name} has NaN among its scores"));
        Assert.That(p.Live(9), Is.EqualTo(scores.Length), "nothing is pruned");
        p.SetMask(9, new Mask(scores.Length) { [scores.Length - 1] = false });
        p.Prune(Weights, 100, new long[Weights.Length], Ranking.Score);
        Assert.That(Weights.Sum(p.Live), Is.EqualTo(100));
    }

    private void AssertCut(int[] parameters, Func<float[], float[]> map, double density, long keep)
    {
        using Workbench bench = device.Open();
        DeviceParameters cut = Scored(bench, map, density), pruned = Scored(bench, map, density);
        var elements = new List<(float Score, int Parameter, int Element)>();
        var values = parameters.ToDictionary(i => i, i => Workbench.Read(cut, i, ParameterSlot.Value));
        foreach (int index in parameters.Order())
        {
            Mask mask = Workbench.MaskOf(cut, index);
            float[] scores = Workbench.Read(cut, index, ParameterSlot.Score);
            for (int i = 0; i < scores.Length; i++)
                if (mask[i]) elements.Add((scores[i], index, i));
        }
        // Stable: equal ones stay in the order of parameters and elements.
        (float Score, int Parameter, int Element)[] kept = [.. elements.OrderByDescending(e => e.Score).Take((int)keep)];
        float last = keep == 0 ? float.PositiveInfinity : kept[^1].Score;
        var expected = new Threshold(last, keep == 0 ? 0 : keep - elements.Count(e => e.Score > last), Ranking.Score);

        var live = new long[parameters.Length];
        Assert.That(cut.FindThreshold(parameters, keep, Ranking.Score), Is.EqualTo(expected), $"keep {keep} at density {density}");
        cut.ApplyThreshold(parameters, expected, live);
        Assert.That(pruned.Prune(parameters, keep, live, Ranking.Score), Is.EqualTo(expected));
        Assert.That(live.Sum(), Is.EqualTo(keep));
        foreach (DeviceParameters actual in (DeviceParameters[])[cut, pruned])
        {
            foreach (int index in parameters)
            {
                var mask = new Mask(actual.Parameters[index].Elements, live: false);
                foreach (var element in kept.Where(e => e.Parameter == index)) mask[element.Element] = true;
                Assert.That(Workbench.MaskOf(actual, index).Words.ToArray(), Is.EqualTo(mask.Words.ToArray()), $"keep {keep} of parameter {index} at density {density}");
                Assert.That(Workbench.Read(actual, index, ParameterSlot.Value), Is.EqualTo(values[index].Select((v, i) => mask[i] ? v : 0)));
                ParameterTests.AssertPrunedIsZero(actual, index);
            }
        }
    }

    private static DeviceParameters Scored(Workbench bench, Func<float[], float[]> map, double density)
    {
        DeviceParameters p = ParameterTests.Filled(bench);
        foreach (int index in Weights)
        {
            p.Upload(index, ParameterSlot.Score, map(Values.Random(70 + (ulong)index, p.Parameters[index].Elements)));
            if (density < 1) p.SetMask(index, Values.Mask((ulong)index, p.Parameters[index].Elements, density));
        }
        return p;
    }

    private static long Live(double density)
    {
        using Workbench bench = DeviceCase.OpenReference();
        DeviceParameters p = Scored(bench, v => v, density);
        return Weights.Sum(p.Live);
    }
}
