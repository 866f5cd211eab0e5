using System.Numerics;
using System.Runtime.InteropServices;

namespace Asni.Distributed;

/// <summary>
/// Sums over ranks whose bits do not depend on library, network or placement: each rank adds up its part of the numbers, in one binary tree over the ranks, and gives it to all. As many
/// bytes travel as in a ring.
/// </summary>
internal sealed class OrderedSum(Communicator ranks)
{
    private float[] _parts = [], _received = [];

    /// <summary>Puts the sum over ranks 0 to <paramref name="count"/> - 1 in place of the numbers, on every rank.</summary>
    public void Run(Span<float> numbers, int count)
    {
        if (numbers.Length > int.MaxValue / sizeof(float) - ranks.Size) throw new AsniException($"{numbers.Length} numbers are more than ranks can exchange at once.");
        int part = (numbers.Length + ranks.Size - 1) / ranks.Size, all = part * ranks.Size;
        if (_parts.Length < all) (_parts, _received) = (new float[all], new float[all]);
        Span<float> parts = _parts.AsSpan(0, all), received = _received.AsSpan(0, all);
        numbers.CopyTo(parts);
        parts[numbers.Length..].Clear();
        ranks.AllToAll(MemoryMarshal.AsBytes(parts), MemoryMarshal.AsBytes(received));
        AddRows(received, part, count);
        ranks.AllGather(MemoryMarshal.AsBytes(received[..part]), MemoryMarshal.AsBytes(parts));
        parts[..numbers.Length].CopyTo(numbers);
    }

    /// <summary>Leaves the sum of the first rows in row 0: neighbours first, then sums of 2, of 4 and so on, as the lanes of one rank are added.</summary>
    private static void AddRows(Span<float> rows, int length, int count)
    {
        for (int stride = 1; stride < count; stride *= 2)
            for (int row = 0; row + stride < count; row += 2 * stride)
                Add(rows.Slice(row * length, length), rows.Slice((row + stride) * length, length));
    }

    private static void Add(Span<float> to, ReadOnlySpan<float> from)
    {
        int i = 0;
        for (; i <= to.Length - Vector<float>.Count; i += Vector<float>.Count) (new Vector<float>(to[i..]) + new Vector<float>(from[i..])).CopyTo(to[i..]);
        for (; i < to.Length; i++) to[i] += from[i];
    }
}
