using System.Numerics;
using System.Runtime.InteropServices;

namespace Asni.Tensors;

/// <summary>Random numbers of a distribution, many at a time.</summary>
internal static class Noise
{
    /// <summary>log(u / (1 - u)) with u uniform in (0, 1).</summary>
    public static void FillLogistic(SplitMix64 random, Span<float> numbers)
    {
        Draw(random, numbers);
        foreach (ref Vector<float> x in Vectors(numbers)) x = Logit(x);
        foreach (ref float x in Rest(numbers)) x = Logit(new Vector<float>(x))[0];
    }

    /// <summary>Standard normal (Box, Muller 1958).</summary>
    public static void FillNormal(SplitMix64 random, Span<float> numbers)
    {
        Span<float> angles = numbers.Length <= 4096 ? stackalloc float[numbers.Length] : new float[numbers.Length];
        Draw(random, numbers);
        Draw(random, angles);
        Span<Vector<float>> turns = Vectors(angles), radii = Vectors(numbers);
        for (int i = 0; i < radii.Length; i++) radii[i] = Normal(radii[i], turns[i]);
        Span<float> lastTurns = Rest(angles), last = Rest(numbers);
        for (int i = 0; i < last.Length; i++) last[i] = Normal(new Vector<float>(last[i]), new Vector<float>(lastTurns[i]))[0];
    }

    /// <summary>The middles of 2^23 parts of (0, 1), which float holds exactly, and 1 minus them too.</summary>
    private static void Draw(SplitMix64 random, Span<float> numbers)
    {
        foreach (ref float u in numbers) u = ((random.NextUInt64() >> 41) + 0.5f) * (1.0f / (1 << 23));
    }

    private static Vector<float> Logit(Vector<float> u) => Vector.Log(u) - Vector.Log(Vector<float>.One - u);

    private static Vector<float> Normal(Vector<float> u, Vector<float> turn) => Vector.SquareRoot(-2 * Vector.Log(u)) * Vector.Cos(2 * MathF.PI * turn);

    private static Span<Vector<float>> Vectors(Span<float> numbers) => MemoryMarshal.Cast<float, Vector<float>>(numbers);

    private static Span<float> Rest(Span<float> numbers) => numbers[(numbers.Length - numbers.Length % Vector<float>.Count)..];
}
