namespace Asni.Cpu;

/// <summary>
/// Hands out the items of one parallel region: to each worker those of its own part in turn and, when that is done, what others have left, from the other
/// end. A processor that is slower than the rest, or busy with something else, so takes fewer. For items whose results depend neither on who computes them
/// nor on when.
/// </summary>
internal readonly unsafe struct WorkQueue
{
    /// <summary>Numbers from one part's to the next, a cache line.</summary>
    public const int Spacing = Caches.Line / sizeof(long);

    /// <summary>A part's first item that is left, and 2^32 times the end of those that are.</summary>
    private readonly long* _left;

    private readonly int _parts;
    private readonly bool _descending;

    /// <param name="left"><see cref="Spacing"/> numbers a part.</param>
    /// <param name="descending">Each worker takes its own items from the last to the first.</param>
    public WorkQueue(long* left, int parts, long items, bool descending)
    {
        _left = left;
        (_parts, _descending) = (parts, descending);
        _ = checked((int)items);
        for (int part = 0; part < parts; part++)
        {
            (long first, long end) = Partition.Range(items, part, parts);
            left[part * Spacing] = Pack((int)first, (int)end);
        }
    }

    /// <summary>An item for the worker, -1 when none is left.</summary>
    public int Next(int worker)
    {
        for (int i = 0; i < _parts; i++)
        {
            int item = Take(ref _left[(worker + i) % _parts * Spacing], (i == 0) != _descending);
            if (item >= 0) return item;
        }
        return -1;
    }

    /// <summary>The item that is the worker's turn next, unless another takes it; -1 when its own part is done.</summary>
    public int Ahead(int worker)
    {
        (int first, int end) = Unpack(Volatile.Read(ref _left[worker % _parts * Spacing]));
        return first == end ? -1 : _descending ? end - 1 : first;
    }

    private static int Take(ref long left, bool front)
    {
        while (true)
        {
            long now = Volatile.Read(ref left);
            (int first, int end) = Unpack(now);
            if (first == end) return -1;
            long then = front ? Pack(first + 1, end) : Pack(first, end - 1);
            if (Interlocked.CompareExchange(ref left, then, now) == now) return front ? first : end - 1;
        }
    }

    private static (int First, int End) Unpack(long left) => ((int)left, (int)(left >> 32));

    private static long Pack(int first, int end) => (long)end << 32 | (uint)first;
}
