using Asni.Devices;

namespace Asni.Tests.Devices;

/// <summary>What one test program put out, by name, so that the same program's outputs on two devices can be compared.</summary>
internal sealed class Outputs
{
    private readonly List<(string Name, float[] Values)> _items = [];

    public float[] this[string name] => _items.Single(i => i.Name == name).Values;

    public void Add(string name, float[] values) => _items.Add((name, values));

    /// <summary>
    /// Every element within <paramref name="absolute"/> + <paramref name="relative"/> * |expected|; NaN only where NaN is expected.
    /// </summary>
    public static void AssertClose(Outputs expected, Outputs actual, double absolute, double relative, object context)
    {
        Assert.That(actual._items.Select(i => i.Name), Is.EqualTo(expected._items.Select(i => i.Name)));
        foreach (((string name, float[] want), (_, float[] have)) in expected._items.Zip(actual._items))
            AssertClose(want, have, absolute, relative, $"{context}: {name}");
    }

    public static void AssertClose(float[] expected, float[] actual, double absolute, double relative, string context)
    {
        Assert.That(actual, Has.Length.EqualTo(expected.Length), context);
        for (int i = 0; i < expected.Length; i++)
        {
            double error = Math.Abs((double)expected[i] - actual[i]);
            bool same = expected[i].Equals(actual[i]) || error <= absolute + relative * Math.Abs((double)expected[i]);
            if (!same)
                Assert.Fail($"{context}[{i}] is {actual[i]:g9}, not {expected[i]:g9} within {absolute:g3} + {relative:g3} relative");
        }
    }
}
