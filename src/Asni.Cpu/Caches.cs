using System.Runtime.Intrinsics.X86;

namespace Asni.Cpu;

/// <summary>
/// Sizes of data caches, in bytes. What orders sums or chooses paths takes the sizes that are common for a processor's vectors, and not those of this processor:
/// equal runs give equal bits on all processors of the same vectors.
/// </summary>
internal static class Caches
{
    /// <summary>Bytes of a cache line.</summary>
    public const int Line = 64;

    private const int DataCache = 1, UnifiedCache = 3;

    /// <summary>A core's first cache: of Zen 5 and Ice Lake for whole vectors of 512 bits, and of most others.</summary>
    public static int First => Simd.Width == 512 && !Simd.SplitsVectors ? 48 * 1024 : 32 * 1024;

    /// <summary>A core's second cache: of Zen 4, Zen 5 and Xeons for vectors of 512 bits, of Zen 2 and 3 for smaller ones.</summary>
    public static int Second => Simd.Width == 512 ? 1024 * 1024 : 512 * 1024;

    /// <summary>The last cache, which cores share.</summary>
    public const int Third = 32 * 1024 * 1024;

    /// <summary>The last cache of this processor, which decides only how a result is stored.</summary>
    private static readonly int s_last = Find(3) ?? Third;

    [ThreadStatic]
    private static long? t_outgrows;

    /// <summary>Set by tests for their own thread, which is the one that starts operations: the bytes from which a tensor counts as outgrown; null: those of the last cache.</summary>
    internal static long? Outgrows { get => t_outgrows; set => t_outgrows = value; }

    /// <summary>
    /// Whether a tensor that is written from its beginning to its end is out of all caches by then: it is better written past them, which spares
    /// reading each line before it is written.
    /// </summary>
    public static unsafe bool Outgrown(float* tensor, long floats) =>
        floats * sizeof(float) >= (Outgrows ?? s_last) && (nint)tensor % Line == 0;

    /// <summary>Cache parameters of the CPUID instruction: leaf 4 of Intel, 8000001Dh of AMD, in one format.</summary>
    private static int? Find(int level)
    {
        if (!X86Base.IsSupported) return null;
        (int leaves, _, _, _) = X86Base.CpuId(0, 0);
        (uint extended, _, _, _) = ((uint, int, int, int))X86Base.CpuId(unchecked((int)0x80000000), 0);
        return (extended >= 0x8000001D ? Find(unchecked((int)0x8000001D), level) : null) ?? (leaves >= 4 ? Find(4, level) : null);
    }

    private static int? Find(int leaf, int level)
    {
        const int max = 16;
        for (int index = 0; index < max; index++)
        {
            (int kind, int shape, int sets, _) = X86Base.CpuId(leaf, index);
            int type = kind & 0x1f;
            if (type == 0) return null;
            if ((kind >> 5 & 7) != level || type is not (DataCache or UnifiedCache)) continue;
            int line = (shape & 0xfff) + 1, partitions = (shape >> 12 & 0x3ff) + 1, ways = (int)((uint)shape >> 22) + 1;
            return line * partitions * ways * (sets + 1);
        }
        return null;
    }
}
