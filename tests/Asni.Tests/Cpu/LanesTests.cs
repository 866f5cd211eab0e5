using System.Runtime.Intrinsics;
using Asni.Cpu;

namespace Asni.Tests.Cpu;

/// <summary>Each width that this machine has, whichever the kernels run with.</summary>
public unsafe class LanesTests
{
    [Test]
    public void Parts_of_a_vector_of_128_bits_touch_nothing_behind_them() => AssertParts<Lanes128, Vector128<float>>();

    [Test]
    public void Parts_of_a_vector_of_256_bits_touch_nothing_behind_them()
    {
        if (!Vector256.IsHardwareAccelerated) Assert.Ignore("needs vectors of 256 bits");
        AssertParts<Lanes256, Vector256<float>>();
    }

    [Test]
    public void Parts_of_a_vector_of_512_bits_touch_nothing_behind_them()
    {
        if (!Vector512.IsHardwareAccelerated) Assert.Ignore("needs vectors of 512 bits");
        AssertParts<Lanes512, Vector512<float>>();
    }

    private static void AssertParts<L, V>() where L : struct, ILanes<V> where V : struct
    {
        float[] from = [.. Enumerable.Range(1, L.Count).Select(i => (float)i)];
        for (int count = 1; count < L.Count; count++)
        {
            float[] loaded = new float[L.Count], stored = new float[L.Count];
            fixed (float* f = from, l = loaded, s = stored)
            {
                L.Store(L.LoadFirst(f, count), l);
                L.StoreFirst(L.Load(f), s, count);
            }
            float[] expected = [.. from.Select((x, i) => i < count ? x : 0)];
            Assert.That(loaded, Is.EqualTo(expected), $"loaded {count}");
            Assert.That(stored, Is.EqualTo(expected), $"stored {count}");
        }
    }
}
