namespace Asni.Cpu.Convolution;

/// <summary>A run of consecutive inner elements: where it starts behind a row's pointer, how long it is, and its first row of B.</summary>
internal readonly record struct InnerRun(int Offset, int Length, int Row);

/// <summary>
/// Register tiles of C = A * B: rows of A are given by pointers (an implicit im2col), B by rows of <c>ldb</c> floats. Every element of A is
/// broadcast against vectors of B. Each row of the result begins with what stands at its start (a bias, or zeros), is cut off below a floor, and goes to
/// a place of its own: its destination, or a row of a small buffer of <see cref="Stride"/> floats a row when something is still to be done with it.
/// </summary>
internal static unsafe class InnerTiles
{
    /// <summary>Floats between rows of a tile buffer.</summary>
    public const int Stride = 64;

    public const int MaximumRows = 12;

    /// <summary>Rows of the tile that is used with this many vectors: all fill the register file.</summary>
    public static int Rows(int vectors, bool wide) => vectors == 4 ? 6 : vectors == 2 ? (wide ? 12 : 6) : 12;

    public static void Run<L, V>(int vectors, float** rows, InnerRun* segment, InnerRun* end, float* b, nint ldb, float** starts, float floor, float** outs)
        where L : struct, ILanes<V> where V : struct
    {
        if (vectors == 4) Tile6x4<L, V>(rows, segment, end, b, ldb, starts, floor, outs);
        else if (vectors == 1) Tile12x1<L, V>(rows, segment, end, b, ldb, starts, floor, outs);
        else if (L.Count == 16) Tile12x2<L, V>(rows, segment, end, b, ldb, starts, floor, outs);
        else Tile6x2<L, V>(rows, segment, end, b, ldb, starts, floor, outs);
    }

    /// <summary>6 rows by 4 vectors.</summary>
    private static void Tile6x4<L, V>(float** rows, InnerRun* segment, InnerRun* end, float* b, nint ldb, float** starts, float floor, float** outs)
        where L : struct, ILanes<V> where V : struct
    {
        V c0_0 = L.Load(starts[0]), c0_1 = L.Load(starts[0] + 1 * L.Count), c0_2 = L.Load(starts[0] + 2 * L.Count), c0_3 = L.Load(starts[0] + 3 * L.Count);
        V c1_0 = L.Load(starts[1]), c1_1 = L.Load(starts[1] + 1 * L.Count), c1_2 = L.Load(starts[1] + 2 * L.Count), c1_3 = L.Load(starts[1] + 3 * L.Count);
        V c2_0 = L.Load(starts[2]), c2_1 = L.Load(starts[2] + 1 * L.Count), c2_2 = L.Load(starts[2] + 2 * L.Count), c2_3 = L.Load(starts[2] + 3 * L.Count);
        V c3_0 = L.Load(starts[3]), c3_1 = L.Load(starts[3] + 1 * L.Count), c3_2 = L.Load(starts[3] + 2 * L.Count), c3_3 = L.Load(starts[3] + 3 * L.Count);
        V c4_0 = L.Load(starts[4]), c4_1 = L.Load(starts[4] + 1 * L.Count), c4_2 = L.Load(starts[4] + 2 * L.Count), c4_3 = L.Load(starts[4] + 3 * L.Count);
        V c5_0 = L.Load(starts[5]), c5_1 = L.Load(starts[5] + 1 * L.Count), c5_2 = L.Load(starts[5] + 2 * L.Count), c5_3 = L.Load(starts[5] + 3 * L.Count);
        for (; segment < end; segment++)
        {
            float* p = b + segment->Row * ldb;
            nint offset = segment->Offset, length = segment->Length;
            float* r0 = rows[0] + offset, r1 = rows[1] + offset, r2 = rows[2] + offset;
            float* r3 = rows[3] + offset, r4 = rows[4] + offset, r5 = rows[5] + offset;
            for (nint k = 0; k < length; k++, p += ldb)
            {
                V b0 = L.Load(p), b1 = L.Load(p + 1 * L.Count), b2 = L.Load(p + 2 * L.Count), b3 = L.Load(p + 3 * L.Count);
                V a = L.Create(r0[k]);
                c0_0 = L.Fma(a, b0, c0_0);
                c0_1 = L.Fma(a, b1, c0_1);
                c0_2 = L.Fma(a, b2, c0_2);
                c0_3 = L.Fma(a, b3, c0_3);
                a = L.Create(r1[k]);
                c1_0 = L.Fma(a, b0, c1_0);
                c1_1 = L.Fma(a, b1, c1_1);
                c1_2 = L.Fma(a, b2, c1_2);
                c1_3 = L.Fma(a, b3, c1_3);
                a = L.Create(r2[k]);
                c2_0 = L.Fma(a, b0, c2_0);
                c2_1 = L.Fma(a, b1, c2_1);
                c2_2 = L.Fma(a, b2, c2_2);
                c2_3 = L.Fma(a, b3, c2_3);
                a = L.Create(r3[k]);
                c3_0 = L.Fma(a, b0, c3_0);
                c3_1 = L.Fma(a, b1, c3_1);
                c3_2 = L.Fma(a, b2, c3_2);
                c3_3 = L.Fma(a, b3, c3_3);
                a = L.Create(r4[k]);
                c4_0 = L.Fma(a, b0, c4_0);
                c4_1 = L.Fma(a, b1, c4_1);
                c4_2 = L.Fma(a, b2, c4_2);
                c4_3 = L.Fma(a, b3, c4_3);
                a = L.Create(r5[k]);
                c5_0 = L.Fma(a, b0, c5_0);
                c5_1 = L.Fma(a, b1, c5_1);
                c5_2 = L.Fma(a, b2, c5_2);
                c5_3 = L.Fma(a, b3, c5_3);
            }
        }
        V low = L.Create(floor);
        L.Store(L.Max(low, c0_0), outs[0]); L.Store(L.Max(low, c0_1), outs[0] + 1 * L.Count); L.Store(L.Max(low, c0_2), outs[0] + 2 * L.Count); L.Store(L.Max(low, c0_3), outs[0] + 3 * L.Count);
        L.Store(L.Max(low, c1_0), outs[1]); L.Store(L.Max(low, c1_1), outs[1] + 1 * L.Count); L.Store(L.Max(low, c1_2), outs[1] + 2 * L.Count); L.Store(L.Max(low, c1_3), outs[1] + 3 * L.Count);
        L.Store(L.Max(low, c2_0), outs[2]); L.Store(L.Max(low, c2_1), outs[2] + 1 * L.Count); L.Store(L.Max(low, c2_2), outs[2] + 2 * L.Count); L.Store(L.Max(low, c2_3), outs[2] + 3 * L.Count);
        L.Store(L.Max(low, c3_0), outs[3]); L.Store(L.Max(low, c3_1), outs[3] + 1 * L.Count); L.Store(L.Max(low, c3_2), outs[3] + 2 * L.Count); L.Store(L.Max(low, c3_3), outs[3] + 3 * L.Count);
        L.Store(L.Max(low, c4_0), outs[4]); L.Store(L.Max(low, c4_1), outs[4] + 1 * L.Count); L.Store(L.Max(low, c4_2), outs[4] + 2 * L.Count); L.Store(L.Max(low, c4_3), outs[4] + 3 * L.Count);
        L.Store(L.Max(low, c5_0), outs[5]); L.Store(L.Max(low, c5_1), outs[5] + 1 * L.Count); L.Store(L.Max(low, c5_2), outs[5] + 2 * L.Count); L.Store(L.Max(low, c5_3), outs[5] + 3 * L.Count);
    }

    /// <summary>12 rows by 2 vectors.</summary>
    private static void Tile12x2<L, V>(float** rows, InnerRun* segment, InnerRun* end, float* b, nint ldb, float** starts, float floor, float** outs)
        where L : struct, ILanes<V> where V : struct
    {
        V c0_0 = L.Load(starts[0]), c0_1 = L.Load(starts[0] + 1 * L.Count);
        V c1_0 = L.Load(starts[1]), c1_1 = L.Load(starts[1] + 1 * L.Count);
        V c2_0 = L.Load(starts[2]), c2_1 = L.Load(starts[2] + 1 * L.Count);
        V c3_0 = L.Load(starts[3]), c3_1 = L.Load(starts[3] + 1 * L.Count);
        V c4_0 = L.Load(starts[4]), c4_1 = L.Load(starts[4] + 1 * L.Count);
        V c5_0 = L.Load(starts[5]), c5_1 = L.Load(starts[5] + 1 * L.Count);
        V c6_0 = L.Load(starts[6]), c6_1 = L.Load(starts[6] + 1 * L.Count);
        V c7_0 = L.Load(starts[7]), c7_1 = L.Load(starts[7] + 1 * L.Count);
        V c8_0 = L.Load(starts[8]), c8_1 = L.Load(starts[8] + 1 * L.Count);
        V c9_0 = L.Load(starts[9]), c9_1 = L.Load(starts[9] + 1 * L.Count);
        V c10_0 = L.Load(starts[10]), c10_1 = L.Load(starts[10] + 1 * L.Count);
        V c11_0 = L.Load(starts[11]), c11_1 = L.Load(starts[11] + 1 * L.Count);
        for (; segment < end; segment++)
        {
            float* p = b + segment->Row * ldb;
            nint offset = segment->Offset, length = segment->Length;
            float* r0 = rows[0] + offset, r1 = rows[1] + offset, r2 = rows[2] + offset;
            float* r3 = rows[3] + offset, r4 = rows[4] + offset, r5 = rows[5] + offset;
            float* r6 = rows[6] + offset, r7 = rows[7] + offset, r8 = rows[8] + offset;
            float* r9 = rows[9] + offset, r10 = rows[10] + offset, r11 = rows[11] + offset;
            for (nint k = 0; k < length; k++, p += ldb)
            {
                V b0 = L.Load(p), b1 = L.Load(p + 1 * L.Count);
                V a = L.Create(r0[k]);
                c0_0 = L.Fma(a, b0, c0_0);
                c0_1 = L.Fma(a, b1, c0_1);
                a = L.Create(r1[k]);
                c1_0 = L.Fma(a, b0, c1_0);
                c1_1 = L.Fma(a, b1, c1_1);
                a = L.Create(r2[k]);
                c2_0 = L.Fma(a, b0, c2_0);
                c2_1 = L.Fma(a, b1, c2_1);
                a = L.Create(r3[k]);
                c3_0 = L.Fma(a, b0, c3_0);
                c3_1 = L.Fma(a, b1, c3_1);
                a = L.Create(r4[k]);
                c4_0 = L.Fma(a, b0, c4_0);
                c4_1 = L.Fma(a, b1, c4_1);
                a = L.Create(r5[k]);
                c5_0 = L.Fma(a, b0, c5_0);
                c5_1 = L.Fma(a, b1, c5_1);
                a = L.Create(r6[k]);
                c6_0 = L.Fma(a, b0, c6_0);
                c6_1 = L.Fma(a, b1, c6_1);
                a = L.Create(r7[k]);
                c7_0 = L.Fma(a, b0, c7_0);
                c7_1 = L.Fma(a, b1, c7_1);
                a = L.Create(r8[k]);
                c8_0 = L.Fma(a, b0, c8_0);
                c8_1 = L.Fma(a, b1, c8_1);
                a = L.Create(r9[k]);
                c9_0 = L.Fma(a, b0, c9_0);
                c9_1 = L.Fma(a, b1, c9_1);
                a = L.Create(r10[k]);
                c10_0 = L.Fma(a, b0, c10_0);
                c10_1 = L.Fma(a, b1, c10_1);
                a = L.Create(r11[k]);
                c11_0 = L.Fma(a, b0, c11_0);
                c11_1 = L.Fma(a, b1, c11_1);
            }
        }
        V low = L.Create(floor);
        L.Store(L.Max(low, c0_0), outs[0]); L.Store(L.Max(low, c0_1), outs[0] + 1 * L.Count);
        L.Store(L.Max(low, c1_0), outs[1]); L.Store(L.Max(low, c1_1), outs[1] + 1 * L.Count);
        L.Store(L.Max(low, c2_0), outs[2]); L.Store(L.Max(low, c2_1), outs[2] + 1 * L.Count);
        L.Store(L.Max(low, c3_0), outs[3]); L.Store(L.Max(low, c3_1), outs[3] + 1 * L.Count);
        L.Store(L.Max(low, c4_0), outs[4]); L.Store(L.Max(low, c4_1), outs[4] + 1 * L.Count);
        L.Store(L.Max(low, c5_0), outs[5]); L.Store(L.Max(low, c5_1), outs[5] + 1 * L.Count);
        L.Store(L.Max(low, c6_0), outs[6]); L.Store(L.Max(low, c6_1), outs[6] + 1 * L.Count);
        L.Store(L.Max(low, c7_0), outs[7]); L.Store(L.Max(low, c7_1), outs[7] + 1 * L.Count);
        L.Store(L.Max(low, c8_0), outs[8]); L.Store(L.Max(low, c8_1), outs[8] + 1 * L.Count);
        L.Store(L.Max(low, c9_0), outs[9]); L.Store(L.Max(low, c9_1), outs[9] + 1 * L.Count);
        L.Store(L.Max(low, c10_0), outs[10]); L.Store(L.Max(low, c10_1), outs[10] + 1 * L.Count);
        L.Store(L.Max(low, c11_0), outs[11]); L.Store(L.Max(low, c11_1), outs[11] + 1 * L.Count);
    }

    /// <summary>12 rows by 1 vectors.</summary>
    private static void Tile12x1<L, V>(float** rows, InnerRun* segment, InnerRun* end, float* b, nint ldb, float** starts, float floor, float** outs)
        where L : struct, ILanes<V> where V : struct
    {
        V c0_0 = L.Load(starts[0]);
        V c1_0 = L.Load(starts[1]);
        V c2_0 = L.Load(starts[2]);
        V c3_0 = L.Load(starts[3]);
        V c4_0 = L.Load(starts[4]);
        V c5_0 = L.Load(starts[5]);
        V c6_0 = L.Load(starts[6]);
        V c7_0 = L.Load(starts[7]);
        V c8_0 = L.Load(starts[8]);
        V c9_0 = L.Load(starts[9]);
        V c10_0 = L.Load(starts[10]);
        V c11_0 = L.Load(starts[11]);
        for (; segment < end; segment++)
        {
            float* p = b + segment->Row * ldb;
            nint offset = segment->Offset, length = segment->Length;
            float* r0 = rows[0] + offset, r1 = rows[1] + offset, r2 = rows[2] + offset;
            float* r3 = rows[3] + offset, r4 = rows[4] + offset, r5 = rows[5] + offset;
            float* r6 = rows[6] + offset, r7 = rows[7] + offset, r8 = rows[8] + offset;
            float* r9 = rows[9] + offset, r10 = rows[10] + offset, r11 = rows[11] + offset;
            for (nint k = 0; k < length; k++, p += ldb)
            {
                V b0 = L.Load(p);
                c0_0 = L.Fma(L.Create(r0[k]), b0, c0_0);
                c1_0 = L.Fma(L.Create(r1[k]), b0, c1_0);
                c2_0 = L.Fma(L.Create(r2[k]), b0, c2_0);
                c3_0 = L.Fma(L.Create(r3[k]), b0, c3_0);
                c4_0 = L.Fma(L.Create(r4[k]), b0, c4_0);
                c5_0 = L.Fma(L.Create(r5[k]), b0, c5_0);
                c6_0 = L.Fma(L.Create(r6[k]), b0, c6_0);
                c7_0 = L.Fma(L.Create(r7[k]), b0, c7_0);
                c8_0 = L.Fma(L.Create(r8[k]), b0, c8_0);
                c9_0 = L.Fma(L.Create(r9[k]), b0, c9_0);
                c10_0 = L.Fma(L.Create(r10[k]), b0, c10_0);
                c11_0 = L.Fma(L.Create(r11[k]), b0, c11_0);
            }
        }
        V low = L.Create(floor);
        L.Store(L.Max(low, c0_0), outs[0]);
        L.Store(L.Max(low, c1_0), outs[1]);
        L.Store(L.Max(low, c2_0), outs[2]);
        L.Store(L.Max(low, c3_0), outs[3]);
        L.Store(L.Max(low, c4_0), outs[4]);
        L.Store(L.Max(low, c5_0), outs[5]);
        L.Store(L.Max(low, c6_0), outs[6]);
        L.Store(L.Max(low, c7_0), outs[7]);
        L.Store(L.Max(low, c8_0), outs[8]);
        L.Store(L.Max(low, c9_0), outs[9]);
        L.Store(L.Max(low, c10_0), outs[10]);
        L.Store(L.Max(low, c11_0), outs[11]);
    }

    /// <summary>6 rows by 2 vectors.</summary>
    private static void Tile6x2<L, V>(float** rows, InnerRun* segment, InnerRun* end, float* b, nint ldb, float** starts, float floor, float** outs)
        where L : struct, ILanes<V> where V : struct
    {
        V c0_0 = L.Load(starts[0]), c0_1 = L.Load(starts[0] + 1 * L.Count);
        V c1_0 = L.Load(starts[1]), c1_1 = L.Load(starts[1] + 1 * L.Count);
        V c2_0 = L.Load(starts[2]), c2_1 = L.Load(starts[2] + 1 * L.Count);
        V c3_0 = L.Load(starts[3]), c3_1 = L.Load(starts[3] + 1 * L.Count);
        V c4_0 = L.Load(starts[4]), c4_1 = L.Load(starts[4] + 1 * L.Count);
        V c5_0 = L.Load(starts[5]), c5_1 = L.Load(starts[5] + 1 * L.Count);
        for (; segment < end; segment++)
        {
            float* p = b + segment->Row * ldb;
            nint offset = segment->Offset, length = segment->Length;
            float* r0 = rows[0] + offset, r1 = rows[1] + offset, r2 = rows[2] + offset;
            float* r3 = rows[3] + offset, r4 = rows[4] + offset, r5 = rows[5] + offset;
            for (nint k = 0; k < length; k++, p += ldb)
            {
                V b0 = L.Load(p), b1 = L.Load(p + 1 * L.Count);
                V a = L.Create(r0[k]);
                c0_0 = L.Fma(a, b0, c0_0);
                c0_1 = L.Fma(a, b1, c0_1);
                a = L.Create(r1[k]);
                c1_0 = L.Fma(a, b0, c1_0);
                c1_1 = L.Fma(a, b1, c1_1);
                a = L.Create(r2[k]);
                c2_0 = L.Fma(a, b0, c2_0);
                c2_1 = L.Fma(a, b1, c2_1);
                a = L.Create(r3[k]);
                c3_0 = L.Fma(a, b0, c3_0);
                c3_1 = L.Fma(a, b1, c3_1);
                a = L.Create(r4[k]);
                c4_0 = L.Fma(a, b0, c4_0);
                c4_1 = L.Fma(a, b1, c4_1);
                a = L.Create(r5[k]);
                c5_0 = L.Fma(a, b0, c5_0);
                c5_1 = L.Fma(a, b1, c5_1);
            }
        }
        V low = L.Create(floor);
        L.Store(L.Max(low, c0_0), outs[0]); L.Store(L.Max(low, c0_1), outs[0] + 1 * L.Count);
        L.Store(L.Max(low, c1_0), outs[1]); L.Store(L.Max(low, c1_1), outs[1] + 1 * L.Count);
        L.Store(L.Max(low, c2_0), outs[2]); L.Store(L.Max(low, c2_1), outs[2] + 1 * L.Count);
        L.Store(L.Max(low, c3_0), outs[3]); L.Store(L.Max(low, c3_1), outs[3] + 1 * L.Count);
        L.Store(L.Max(low, c4_0), outs[4]); L.Store(L.Max(low, c4_1), outs[4] + 1 * L.Count);
        L.Store(L.Max(low, c5_0), outs[5]); L.Store(L.Max(low, c5_1), outs[5] + 1 * L.Count);
    }
}
