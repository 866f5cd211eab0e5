using System.Runtime.Intrinsics.X86;

namespace Asni.Cpu;

/// <summary>A core's data caches, in bytes, as the processor tells them; what is common where it does not.</summary>
internal static class Caches
{
    /// <summary>Bytes of a cache line.</summary>
    public const int Line = 64;

    private const int DataCache = 1, UnifiedCache = 3;

    public static int First { get; } = Find(1) ?? 32 * 1024;
    public static int Second { get; } = Find(2) ?? 512 * 1024;

    /// <summary>The last one, which cores share.</summary>
    public static int Third { get; } = Find(3) ?? 32 * 1024 * 1024;

    /// <summary>Set by tests: the bytes from which a tensor counts as outgrown; null: those of the last cache.</summary>
    internal static long? Outgrows { get; set; }

    /// <summary>
    /// Whether a tensor that is written from its beginning to its end is out of all caches by then: it is better written past them, which spares
    /// reading each line before it is written.
    /// </summary>
    public static unsafe bool Outgrown(float* tensor, long floats) =>
        floats * sizeof(float) >= (Outgrows ?? Third) && (nint)tensor % Line == 0;

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
        const int most = 16;
        for (int index = 0; index < most; index++)
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
