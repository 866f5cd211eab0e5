using System.Numerics;
using System.Runtime.InteropServices;

namespace Asni.Tensors;

/// <summary>Random numbers of a distribution, many at a time.</summary>
internal static class Noise
{
    /// <summary>Numbers that are drawn together; a whole number of vectors.</summary>
    private const int Block = 1024;

    /// <summary>log(u / (1 - u)) with u uniform in (0, 1).</summary>
    public static void FillLogistic(SplitMix64 random, Span<float> numbers)
    {
        Span<float> drawn = stackalloc float[Block];
        for (int from = 0; from < numbers.Length; from += Block)
        {
            random.SkipTo(from).FillCentred(drawn);
            foreach (ref Vector<float> x in Vectors(drawn)) x = Logit(x);
            Copy(drawn, numbers, from);
        }
    }

    /// <summary>Standard normal (Box, Muller 1958): radii of the first draws, angles of as many after them.</summary>
    public static void FillNormal(SplitMix64 random, Span<float> numbers)
    {
        Span<float> drawn = stackalloc float[Block], angles = stackalloc float[Block];
        Span<Vector<float>> radii = Vectors(drawn), turns = Vectors(angles);
        for (int from = 0; from < numbers.Length; from += Block)
        {
            random.SkipTo(from).FillCentred(drawn);
            random.SkipTo(numbers.Length + from).FillCentred(angles);
            for (int i = 0; i < radii.Length; i++) radii[i] = Normal(radii[i], turns[i]);
            Copy(drawn, numbers, from);
        }
    }

    private static Vector<float> Logit(Vector<float> u) => Vector.Log(u) - Vector.Log(Vector<float>.One - u);

    private static Vector<float> Normal(Vector<float> u, Vector<float> turn) => Vector.SquareRoot(-2 * Vector.Log(u)) * Vector.Cos(2 * MathF.PI * turn);

    private static Span<Vector<float>> Vectors(Span<float> numbers) => MemoryMarshal.Cast<float, Vector<float>>(numbers);

    private static void Copy(Span<float> block, Span<float> numbers, int from) => block[..Math.Min(Block, numbers.Length - from)].CopyTo(numbers[from..]);
}
