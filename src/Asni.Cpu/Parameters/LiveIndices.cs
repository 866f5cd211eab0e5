using System.Numerics;

namespace Asni.Cpu;

/// <summary>
/// Sparse parameters keep the optimizer's state of their live elements side by side, at the beginning of the parameter's part of each state
/// buffer, in the order of the elements; the rest is +0. An update then computes as many vectors as live elements fill, and its traffic
/// follows them. The state moves together at the first update after a change of the mask, and apart when anything else asks for it.
/// </summary>
internal sealed unsafe class LiveIndices(int parameters)
{
    /// <summary>Up to one live element in so many, gathering them is cheaper than a step on each vector that holds one.</summary>
    private const long Sparse = 3;

    private readonly int[]?[] _indices = new int[]?[parameters];
    private readonly bool[] _known = new bool[parameters];

    /// <summary>The parameter's live elements, ascending, in the device's order; null when its state lies element by element.</summary>
    public int[]? Get(int parameter) => _indices[parameter];

    /// <summary>Which entries of a list lie from element <paramref name="from"/> up to <paramref name="to"/>.</summary>
    public static Range Between(int[] indices, long from, long to) => LowerBound(indices, from)..LowerBound(indices, to);

    /// <summary>Lists the live elements and moves their state together, where that pays.</summary>
    /// <param name="words">The parameter's mask.</param>
    /// <param name="state0">The parameter's part of the buffer, or null; as is <paramref name="state1"/>.</param>
    public void Gather(int parameter, ulong* words, long elements, long live, float* state0, float* state1)
    {
        if (_known[parameter]) return;
        _known[parameter] = true;
        if (live > elements / Sparse || elements > int.MaxValue) return;
        var indices = new int[live];
        int next = 0;
        for (long i = 0; i < (elements + 63) / 64; i++)
            for (ulong word = words[i]; word != 0; word &= word - 1)
                indices[next++] = (int)(i * 64) + BitOperations.TrailingZeroCount(word);
        _indices[parameter] = indices;
        Gather(indices, state0);
        Gather(indices, state1);
    }

    /// <summary>Moves state to its elements and forgets the list.</summary>
    public void Scatter(int parameter, float* state0, float* state1)
    {
        if (_indices[parameter] is { } indices)
        {
            Scatter(indices, state0);
            Scatter(indices, state1);
        }
        _indices[parameter] = null;
        _known[parameter] = false;
    }

    // In place, because element k of a list never lies before place k.
    private static void Gather(int[] indices, float* state)
    {
        if (state == null) return;
        for (int k = 0; k < indices.Length; k++)
        {
            float x = state[indices[k]];
            state[indices[k]] = 0;
            state[k] = x;
        }
    }

    private static void Scatter(int[] indices, float* state)
    {
        if (state == null) return;
        for (int k = indices.Length - 1; k >= 0; k--)
        {
            float x = state[k];
            state[k] = 0;
            state[indices[k]] = x;
        }
    }

    private static int LowerBound(int[] ascending, long value)
    {
        int low = 0, high = ascending.Length;
        while (low < high)
        {
            int middle = (low + high) / 2;
            if (ascending[middle] < value) low = middle + 1; else high = middle;
        }
        return low;
    }
}
