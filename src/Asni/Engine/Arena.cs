namespace Asni.Engine;

/// <summary>A block of memory needed from step <paramref name="From"/> to step <paramref name="To"/>, both included.</summary>
internal readonly record struct Lifetime(long Bytes, int From, int To)
{
    public bool Overlaps(in Lifetime other) => From <= other.To && other.From <= To;
}

/// <summary>Places blocks with known lifetimes in one buffer: largest first, each at the lowest offset free during its whole life.</summary>
internal static class Arena
{
    private const long Alignment = 256;

    /// <summary>Returns each block's byte offset and the size of the arena.</summary>
    public static (long[] Offsets, long Bytes) Place(IReadOnlyList<Lifetime> blocks)
    {
        var offsets = new long[blocks.Count];
        var placed = new List<int>();
        long total = 0;
        foreach (int block in Enumerable.Range(0, blocks.Count).OrderByDescending(i => blocks[i].Bytes).ThenBy(i => i))
        {
            long offset = 0;
            foreach (int other in placed.Where(p => blocks[p].Overlaps(blocks[block])).OrderBy(p => offsets[p]))
            {
                if (offset + blocks[block].Bytes <= offsets[other]) break;
                offset = Math.Max(offset, Align(offsets[other] + blocks[other].Bytes));
            }
            offsets[block] = offset;
            placed.Add(block);
            total = Math.Max(total, offset + blocks[block].Bytes);
        }
        return (offsets, total);
    }

    private static long Align(long offset) => (offset + Alignment - 1) / Alignment * Alignment;
}
