using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;
using System.Runtime.Intrinsics.X86;

namespace Asni.Cpu;

/// <summary>Transposition of float matrices, 8 x 8 at a time in registers where AVX is there.</summary>
internal static unsafe class RegisterTranspose
{
    private const int Block = 8;

    /// <summary>to[c * toStride + r] = from[r * fromStride + c].</summary>
    public static void Run(float* from, int rows, int columns, nint fromStride, float* to, nint toStride)
    {
        if (!Avx.IsSupported || rows < Block || columns < Block)
        {
            for (int c = 0; c < columns; c++)
                for (int r = 0; r < rows; r++) to[c * toStride + r] = from[r * fromStride + c];
            return;
        }
        // The last block reaches back over the one before it.
        for (int row = 0; row < rows; row += Block)
        {
            int r = Math.Min(row, rows - Block);
            for (int column = 0; column < columns; column += Block)
            {
                int c = Math.Min(column, columns - Block);
                RunBlock(from + r * fromStride + c, fromStride, to + c * toStride + r, toStride);
            }
        }
    }

    /// <summary>to[c * toStride + r] = rows[r][c].</summary>
    public static void Run(float** rows, int count, int columns, float* to, nint toStride)
    {
        if (!Avx.IsSupported || count < Block || columns < Block)
        {
            for (int c = 0; c < columns; c++)
                for (int r = 0; r < count; r++) to[c * toStride + r] = rows[r][c];
            return;
        }
        for (int row = 0; row < count; row += Block)
        {
            int r = Math.Min(row, count - Block);
            for (int column = 0; column < columns; column += Block)
            {
                int c = Math.Min(column, columns - Block);
                Store(Vector256.Load(rows[r] + c), Vector256.Load(rows[r + 1] + c), Vector256.Load(rows[r + 2] + c), Vector256.Load(rows[r + 3] + c),
                    Vector256.Load(rows[r + 4] + c), Vector256.Load(rows[r + 5] + c), Vector256.Load(rows[r + 6] + c), Vector256.Load(rows[r + 7] + c),
                    to + c * toStride + r, toStride);
            }
        }
    }

    /// <summary>
    /// to[c * toStride + r] = from[r * fromStride + c] for fewer columns than a block has; from may be read as far as a whole block.
    /// </summary>
    public static void RunNarrow(float* from, int rows, int columns, nint fromStride, float* to, nint toStride)
    {
        if (!Avx.IsSupported || rows < Block || columns >= Block)
        {
            Run(from, rows, columns, fromStride, to, toStride);
            return;
        }
        float* block = stackalloc float[Block * Block];
        for (int row = 0; row < rows; row += Block)
        {
            int r = Math.Min(row, rows - Block);
            RunBlock(from + r * fromStride, fromStride, block, Block);
            for (int c = 0; c < columns; c++) Vector256.Load(block + c * Block).Store(to + c * toStride + r);
        }
    }

    private static void RunBlock(float* from, nint fromStride, float* to, nint toStride) =>
        Store(Vector256.Load(from), Vector256.Load(from + fromStride), Vector256.Load(from + 2 * fromStride), Vector256.Load(from + 3 * fromStride),
            Vector256.Load(from + 4 * fromStride), Vector256.Load(from + 5 * fromStride), Vector256.Load(from + 6 * fromStride), Vector256.Load(from + 7 * fromStride),
            to, toStride);

    /// <summary>Eight rows become eight columns: pairs, quads, halves.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void Store(Vector256<float> r0, Vector256<float> r1, Vector256<float> r2, Vector256<float> r3,
        Vector256<float> r4, Vector256<float> r5, Vector256<float> r6, Vector256<float> r7, float* to, nint toStride)
    {
        (Vector256<float> a0, Vector256<float> a1, Vector256<float> a2, Vector256<float> a3) = Quads(r0, r1, r2, r3);
        (Vector256<float> b0, Vector256<float> b1, Vector256<float> b2, Vector256<float> b3) = Quads(r4, r5, r6, r7);
        Avx.Permute2x128(a0, b0, 0x20).Store(to);
        Avx.Permute2x128(a1, b1, 0x20).Store(to + toStride);
        Avx.Permute2x128(a2, b2, 0x20).Store(to + 2 * toStride);
        Avx.Permute2x128(a3, b3, 0x20).Store(to + 3 * toStride);
        Avx.Permute2x128(a0, b0, 0x31).Store(to + 4 * toStride);
        Avx.Permute2x128(a1, b1, 0x31).Store(to + 5 * toStride);
        Avx.Permute2x128(a2, b2, 0x31).Store(to + 6 * toStride);
        Avx.Permute2x128(a3, b3, 0x31).Store(to + 7 * toStride);
    }

    /// <summary>Within each 128-bit half: element j of the four rows, for j = 0 .. 3.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static (Vector256<float>, Vector256<float>, Vector256<float>, Vector256<float>) Quads(Vector256<float> r0, Vector256<float> r1,
        Vector256<float> r2, Vector256<float> r3)
    {
        Vector256<float> low01 = Avx.UnpackLow(r0, r1), high01 = Avx.UnpackHigh(r0, r1);
        Vector256<float> low23 = Avx.UnpackLow(r2, r3), high23 = Avx.UnpackHigh(r2, r3);
        return (Avx.Shuffle(low01, low23, 0x44), Avx.Shuffle(low01, low23, 0xEE), Avx.Shuffle(high01, high23, 0x44), Avx.Shuffle(high01, high23, 0xEE));
    }
}
