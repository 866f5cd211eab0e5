using System.Collections.Immutable;
using System.Runtime.InteropServices;
using System.Runtime.Intrinsics;
using Asni.Tensors;

namespace Asni.Networks;

/// <summary>
/// The authors' initialization: Kaiming normal weights (He et al., ICCV 2015; fan-in, ReLU gain: standard deviation sqrt(2 / fan-in)),
/// biases 0, batch-norm weight 1 and bias 0, running mean 0 and variance 1. Each parameter has its own random stream, from the seed and
/// its index, so the values depend neither on threads nor on the order of filling, and have the same bits with AVX-512 as with AVX2 and
/// fused multiply-add.
/// </summary>
internal static class Initialization
{
    private const ulong Purpose = 0x696E6974; // "init"
    private const ulong Gamma = 0x9E3779B97F4A7C15; // SplitMix64's step
    private const int Block = 32;

    /// <summary>Initial values of all parameters in PyTorch's element order, by <see cref="Parameter.Index"/>.</summary>
    public static ImmutableArray<float[]> Create(Network network, ulong seed)
    {
        var values = new float[network.Parameters.Length][];
        // Largest first, so that no thread is left with a big one at the end.
        Parallel.ForEach(network.Parameters.OrderByDescending(p => p.Elements), p =>
        {
            values[p.Index] = GC.AllocateUninitializedArray<float>((int)p.Elements);
            Fill(p, seed, values[p.Index]);
        });
        return ImmutableCollectionsMarshal.AsImmutableArray(values);
    }

    /// <summary>Initial values of one parameter in PyTorch's element order.</summary>
    /// <param name="values">As long as the parameter has elements.</param>
    public static void Fill(Parameter parameter, ulong seed, Span<float> values)
    {
        if (values.Length != parameter.Elements)
            throw new ArgumentException($"'{parameter.Name}' has {parameter.Elements} elements, not {values.Length}.", nameof(values));
        switch (parameter.Kind)
        {
            case ParameterKind.Weight:
                ulong state = SplitMix64.Fork(seed, Purpose, (ulong)parameter.Index).State;
                FillNormal(state, (float)Math.Sqrt(2.0 / parameter.Filter.FanIn), values);
                break;
            case ParameterKind.NormWeight or ParameterKind.RunningVariance:
                values.Fill(1);
                break;
            default:
                values.Clear();
                break;
        }
    }

    /// <summary>
    /// Normal values of mean 0. Sixteen draws of SplitMix64 make a block of 32: draw i gives, by Box-Muller from its upper and lower 32
    /// bits, element i (cosine) and element 16 + i (sine). Written for 512 bits; .NET splits the vectors where the processor has shorter
    /// ones.
    /// </summary>
    private static void FillNormal(ulong state, float deviation, Span<float> values)
    {
        Vector512<ulong> first = Vector512.Create(state) + (Vector512<ulong>.Indices + Vector512<ulong>.One) * Vector512.Create(Gamma);
        Vector512<ulong> half = Vector512.Create(unchecked(8 * Gamma));
        int whole = values.Length - values.Length % Block;
        for (int i = 0; i < whole; i += Block, first += half + half)
            NormalBlock(first, first + half, deviation, values.Slice(i, Block));
        if (whole == values.Length) return;
        Span<float> last = stackalloc float[Block];
        NormalBlock(first, first + half, deviation, last);
        last[..(values.Length - whole)].CopyTo(values[whole..]);
    }

    private static void NormalBlock(Vector512<ulong> first, Vector512<ulong> second, float deviation, Span<float> block)
    {
        first = Mix(first);
        second = Mix(second);
        // The radius takes (k + 1) / 2^32, in (0, 1], whose logarithm is finite.
        Vector512<float> upper = Vector512.ConvertToSingle(Vector512.Narrow(first >> 32, second >> 32));
        Vector512<float> uniform = (upper + Vector512<float>.One) * (1f / 4294967296f);
        Vector512<float> radius = Vector512.Sqrt(Vector512.Log(uniform) * -2f) * deviation;
        Vector512<float> angle = Vector512.ConvertToSingle(Vector512.Narrow(first, second)) * (float)(2 * Math.PI / 4294967296.0);
        (Vector512<float> sine, Vector512<float> cosine) = Vector512.SinCos(angle);
        (radius * cosine).CopyTo(block);
        (radius * sine).CopyTo(block[16..]);
    }

    /// <summary>SplitMix64's output function.</summary>
    private static Vector512<ulong> Mix(Vector512<ulong> z)
    {
        z = (z ^ (z >> 30)) * Vector512.Create(0xBF58476D1CE4E5B9);
        z = (z ^ (z >> 27)) * Vector512.Create(0x94D049BB133111EB);
        return z ^ (z >> 31);
    }
}
