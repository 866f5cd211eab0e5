using System.Numerics;
using System.Runtime.InteropServices;

namespace Asni.Distributed;

/// <summary>
/// Sums over ranks whose bits do not depend on library, network or placement: each rank adds up its part of the numbers, in one binary tree over the ranks, and gives it to all. As many
/// bytes travel as in a ring.
/// </summary>
internal sealed class OrderedSum(Communicator ranks)
{
    private float[] _received = [];

    /// <summary>A length that has equal parts for all ranks.</summary>
    public long RoundUp(long length) => (length + ranks.Size - 1) / ranks.Size * ranks.Size;

    /// <summary>Puts the sum over ranks 0 to <paramref name="count"/> - 1 in place of the numbers, on every rank.</summary>
    /// <param name="numbers">As many as <see cref="RoundUp"/> gives.</param>
    public void Run(Span<float> numbers, int count)
    {
        if (numbers.Length % ranks.Size != 0) throw new ArgumentException($"{numbers.Length} numbers have no {ranks.Size} equal parts", nameof(numbers));
        if (numbers.Length > int.MaxValue / sizeof(float)) throw new AsniException($"{numbers.Length} numbers are more than ranks can exchange at once.");
        if (_received.Length < numbers.Length) _received = new float[numbers.Length];
        Span<float> received = _received.AsSpan(0, numbers.Length);
        int part = numbers.Length / ranks.Size;
        ranks.AllToAll(MemoryMarshal.AsBytes(numbers), MemoryMarshal.AsBytes(received));
        AddRows(received, part, count);
        ranks.AllGather(MemoryMarshal.AsBytes(received[..part]), MemoryMarshal.AsBytes(numbers));
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
