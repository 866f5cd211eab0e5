using Asni.Devices;
using Asni.Networks;
using Asni.Tensors;

namespace Asni.Tests.Devices;

/// <summary>Dead elements that come alive, and exchanges: exactly as many as asked, the same ones as on the reference device.</summary>
[TestFixtureSource(typeof(DeviceCase), nameof(DeviceCase.All))]
public class GrowthTests(DeviceCase device) : DeviceTests
{
    private static readonly int[] Weights = [0, 7, 8, 9];

    private static IEnumerable<TestCaseData> Distributions()
    {
        foreach (Ranking ranking in Enum.GetValues<Ranking>())
        {
            yield return new TestCaseData(ranking, (Func<float, float>)(x => x)).SetArgDisplayNames($"{ranking}, all different");
            yield return new TestCaseData(ranking, (Func<float, float>)(x => MathF.Round(3 * x) / 3)).SetArgDisplayNames($"{ranking}, seven levels, all tied");
            yield return new TestCaseData(ranking, (Func<float, float>)(_ => 0.25f)).SetArgDisplayNames($"{ranking}, one number");
        }
    }

    [TestCaseSource(nameof(Distributions))]
    public void The_K_highest_dead_elements_come_alive(object by, Func<float, float> map)
    {
        var ranking = (Ranking)by;
        using Workbench bench = device.Open(), reference = DeviceCase.OpenReference();
        foreach (double density in (double[])[0.1, 0.6])
        {
            foreach (double share in (double[])[0, 0.001, 0.4, 1])
            {
                // Not in order: ties go by the parameters' index.
                int[] some = [9, 0, 8];
                DeviceParameters actual = Filled(bench, map, density), expected = Filled(reference, map, density);
                long[] live = new long[some.Length], before = [.. some.Select(p => actual.Live(p))];
                long dead = some.Sum(p => actual.Parameters[p].Elements) - before.Sum(), count = (long)(share * dead);
                int version = actual.MaskVersion(9), other = actual.MaskVersion(7);
                actual.Grow(some, count, ranking, live);
                expected.Grow(some, count, ranking, new long[some.Length]);
                Assert.That(live.Sum() - before.Sum(), Is.EqualTo(count));
                Assert.That(live, Is.EqualTo(some.Select(p => Workbench.MaskOf(actual, p).Live)));
                Assert.That((actual.MaskVersion(9), actual.MaskVersion(7)), Is.EqualTo((version + 1, other)));
                AssertSame(actual, expected, $"{count} of {dead} at density {density}");
            }
        }
    }

    [TestCaseSource(nameof(Distributions))]
    public void An_exchange_drops_the_smallest_and_grows_the_highest(object by, Func<float, float> map)
    {
        var ranking = (Ranking)by;
        using Workbench bench = device.Open(), reference = DeviceCase.OpenReference();
        foreach (double density in (double[])[0.1, 0.6, 1])
        {
            DeviceParameters actual = Filled(bench, map, density), expected = Filled(reference, map, density);
            foreach (int p in Weights)
            {
                long live = actual.Live(p), drop = live / 3, grow = p == 8 ? drop / 2 : drop;
                actual.Exchange(p, drop, grow, ranking);
                expected.Exchange(p, drop, grow, ranking);
                Assert.That(actual.Live(p), Is.EqualTo(live - drop + grow));
            }
            AssertSame(actual, expected, $"density {density}");
        }
    }

    /// <summary>0.1 and 0.2 leave; the gradients of what is dead then are 9, 0, 3, 2, 0.5, 4 in magnitude: the first comes back, and the last grows.</summary>
    [Test]
    public void What_leaves_and_returns_at_once_keeps_value_and_state()
    {
        using Workbench bench = device.Open();
        DeviceParameters p = bench.Parameters((ParameterKind.Weight, new FilterShape(2, 1, 2, 2)));
        p.Upload(0, ParameterSlot.Value, [0.1f, -0.9f, 0.2f, 0.5f, 1, 1, 1, 1]);
        p.Upload(0, ParameterSlot.State0, [10, 20, 30, 40, 50, 60, 70, 80]);
        var mask = new Mask(8, live: false);
        for (int i = 0; i < 4; i++) mask[i] = true;
        p.SetMask(0, mask);
        p.Upload(0, ParameterSlot.Gradient, [9, 0, 0, 0, -3, 2, 0.5f, -4]);
        p.Exchange(0, drop: 2, grow: 2, Ranking.Gradient);
        Assert.That(p.GetMask(0)!.Words[0], Is.EqualTo(0b1000_1011));
        Assert.That(Workbench.Read(p, 0, ParameterSlot.Value), Is.EqualTo((float[])[0.1f, -0.9f, 0, 0.5f, 0, 0, 0, 0]));
        Assert.That(Workbench.Read(p, 0, ParameterSlot.State0), Is.EqualTo((float[])[10, 20, 0, 40, 0, 0, 0, 0]));
    }

    [Test]
    public void More_than_there_are_is_refused_and_a_NaN_changes_nothing()
    {
        using Workbench bench = device.Open();
        DeviceParameters p = Filled(bench, x => x, 0.5);
        long live = p.Live(9), dead = p.Parameters[9].Elements - live;
        Assert.That(() => p.Grow([9], dead + 1, Ranking.Score, new long[1]), Throws.TypeOf<ArgumentOutOfRangeException>());
        Assert.That(() => p.Exchange(9, live + 1, 0, Ranking.Score), Throws.TypeOf<ArgumentOutOfRangeException>());
        Assert.That(() => p.Exchange(9, 3, dead + 4, Ranking.Score), Throws.TypeOf<ArgumentOutOfRangeException>());
        Mask before = Workbench.MaskOf(p, 9);
        float[] gradient = Workbench.Read(p, 9, ParameterSlot.Gradient), values = Workbench.Read(p, 9, ParameterSlot.Value);
        for (int i = 0; i < gradient.Length; i++)
            if (!before[i]) gradient[i] = float.NaN;
        p.Upload(9, ParameterSlot.Gradient, gradient);
        Assert.That(() => p.Exchange(9, 3, 3, Ranking.Gradient), Throws.TypeOf<DivergenceException>());
        Assert.That(() => p.Grow([9], 3, Ranking.Gradient, new long[1]), Throws.TypeOf<DivergenceException>());
        Assert.That(Workbench.MaskOf(p, 9).Words.ToArray(), Is.EqualTo(before.Words.ToArray()));
        Assert.That(Workbench.Read(p, 9, ParameterSlot.Value), Is.EqualTo(values));
        p.Grow([9], dead, Ranking.Score, new long[1]);
        Assert.That(p.GetMask(9), Is.Null, "all live");
    }

    private static DeviceParameters Filled(Workbench bench, Func<float, float> map, double density)
    {
        DeviceParameters p = ParameterTests.Filled(bench);
        foreach (int index in Weights)
        {
            long n = p.Parameters[index].Elements;
            float[] Numbers(ulong seed) => [.. Values.Random(seed + (ulong)index, n).Select(map)];
            p.Upload(index, ParameterSlot.Value, Numbers(20));
            p.Upload(index, ParameterSlot.State0, Numbers(40));
            p.Upload(index, ParameterSlot.Score, Numbers(60));
            p.Upload(index, ParameterSlot.Gradient, Numbers(80));
            if (density < 1) p.SetMask(index, Values.Mask((ulong)index, n, density));
        }
        return p;
    }

    private static void AssertSame(DeviceParameters actual, DeviceParameters expected, string context)
    {
        foreach (int p in Weights)
        {
            Assert.That(Workbench.MaskOf(actual, p).Words.ToArray(), Is.EqualTo(Workbench.MaskOf(expected, p).Words.ToArray()), $"{context}, mask of {p}");
            foreach (ParameterSlot slot in (ParameterSlot[])[ParameterSlot.Value, ParameterSlot.State0, ParameterSlot.Score, ParameterSlot.Gradient])
                Assert.That(Workbench.Read(actual, p, slot), Is.EqualTo(Workbench.Read(expected, p, slot)), $"{context}, {slot} of {p}");
            ParameterTests.AssertPrunedIsZero(actual, p);
        }
    }
}
