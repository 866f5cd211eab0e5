using System.Numerics;
using System.Runtime.InteropServices;

namespace Asni.Tensors;

/// <summary>
/// The project's one random generator: SplitMix64 (Steele, Lea, Flood, OOPSLA 2014). Its whole state is one number, so a
/// checkpoint stores it in 8 bytes, and <see cref="Fork"/> makes independent streams from a seed and a purpose.
/// </summary>
internal sealed class SplitMix64(ulong state)
{
    private const ulong Gamma = 0x9E3779B97F4A7C15;

    public ulong State { get; set; } = state;

    /// <summary>The stream of one purpose (data order, initialization, ...) of one run.</summary>
    public static SplitMix64 Fork(ulong seed, params ReadOnlySpan<ulong> purpose)
    {
        ulong s = Mix(seed + Gamma);
        foreach (ulong p in purpose) s = Mix(s ^ Mix(p + Gamma));
        return new SplitMix64(s);
    }

    public ulong NextUInt64() => Mix(State += Gamma);

    /// <summary>Uniform in [0, 1), 53 bits.</summary>
    public double NextDouble() => (NextUInt64() >> 11) * (1.0 / (1UL << 53));

    /// <summary>Uniform in [0, 1), 24 bits.</summary>
    public float NextSingle() => (NextUInt64() >> 40) * (1.0f / (1 << 24));

    /// <summary>The same stream after so many more numbers.</summary>
    public SplitMix64 SkipTo(long numbers) => new(State + (ulong)numbers * Gamma);

    /// <summary>The middles of 2^23 parts of (0, 1), which float holds exactly, and 1 minus them too. Leaves the state as it is.</summary>
    /// <param name="numbers">As many as two vectors of 64 bits hold, or a multiple.</param>
    public void FillCentred(Span<float> numbers)
    {
        Span<Vector<float>> vectors = MemoryMarshal.Cast<float, Vector<float>>(numbers);
        Vector<ulong> step = new(Gamma * (ulong)Vector<ulong>.Count), low = (Vector<ulong>.Indices + Vector<ulong>.One) * Gamma + new Vector<ulong>(State);
        foreach (ref Vector<float> u in vectors)
        {
            Vector<ulong> high = low + step;
            Vector<uint> drawn = Vector.Narrow(Mix(low) >>> 41, Mix(high) >>> 41);
            u = (Vector.ConvertToSingle(Vector.AsVectorInt32(drawn)) + new Vector<float>(0.5f)) * (1.0f / (1 << 23));
            low = high + step;
        }
    }

    /// <summary>Uniform in 0 .. bound - 1, by multiply-shift (bias below 2^-32 for bounds that fit an int).</summary>
    public int Next(int bound)
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(bound, 1);
        return (int)Math.BigMul(NextUInt64(), (ulong)bound, out _);
    }

    /// <summary>Standard normal (Box-Muller; one of the pair is thrown away to keep the state a single number).</summary>
    public double NextNormal()
    {
        double u = 1.0 - NextDouble();
        return Math.Sqrt(-2.0 * Math.Log(u)) * Math.Cos(2.0 * Math.PI * NextDouble());
    }

    /// <summary>Fisher-Yates.</summary>
    public void Shuffle<T>(Span<T> items)
    {
        for (int i = items.Length - 1; i > 0; i--)
        {
            int j = Next(i + 1);
            (items[i], items[j]) = (items[j], items[i]);
        }
    }

    private static ulong Mix(ulong z)
    {
        z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9;
        z = (z ^ (z >> 27)) * 0x94D049BB133111EB;
        return z ^ (z >> 31);
    }

    private static Vector<ulong> Mix(Vector<ulong> z)
    {
        z = (z ^ (z >>> 30)) * 0xBF58476D1CE4E5B9;
        z = (z ^ (z >>> 27)) * 0x94D049BB133111EB;
        return z ^ (z >>> 31);
    }
}
