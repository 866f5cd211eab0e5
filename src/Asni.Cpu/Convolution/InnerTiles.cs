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
        if (vectors == 4) Tile<L, V, Six, Four>(rows, segment, end, b, ldb, starts, floor, outs);
        else if (vectors == 1) Tile<L, V, Twelve, One>(rows, segment, end, b, ldb, starts, floor, outs);
        else if (L.Count == 16) Tile<L, V, Twelve, Two>(rows, segment, end, b, ldb, starts, floor, outs);
        else Tile<L, V, Six, Two>(rows, segment, end, b, ldb, starts, floor, outs);
    }

    /// <summary><typeparamref name="R"/> rows, 6 or 12, by <typeparamref name="N"/> vectors.</summary>
    private static void Tile<L, V, R, N>(float** rows, InnerRun* segment, InnerRun* end, float* b, nint ldb, float** starts, float floor, float** outs)
        where L : struct, ILanes<V> where V : struct where R : struct, IConstant where N : struct, IConstant
    {
        TileRow<L, V, N> c0 = TileRow<L, V, N>.Load(starts[0]), c1 = TileRow<L, V, N>.Load(starts[1]), c2 = TileRow<L, V, N>.Load(starts[2]);
        TileRow<L, V, N> c3 = TileRow<L, V, N>.Load(starts[3]), c4 = TileRow<L, V, N>.Load(starts[4]), c5 = TileRow<L, V, N>.Load(starts[5]);
        TileRow<L, V, N> c6 = default, c7 = default, c8 = default, c9 = default, c10 = default, c11 = default;
        if (R.Value == 12)
        {
            c6 = TileRow<L, V, N>.Load(starts[6]);
            c7 = TileRow<L, V, N>.Load(starts[7]);
            c8 = TileRow<L, V, N>.Load(starts[8]);
            c9 = TileRow<L, V, N>.Load(starts[9]);
            c10 = TileRow<L, V, N>.Load(starts[10]);
            c11 = TileRow<L, V, N>.Load(starts[11]);
        }
        for (; segment < end; segment++)
        {
            float* p = b + segment->Row * ldb;
            nint offset = segment->Offset, length = segment->Length;
            float* r0 = rows[0] + offset, r1 = rows[1] + offset, r2 = rows[2] + offset;
            float* r3 = rows[3] + offset, r4 = rows[4] + offset, r5 = rows[5] + offset;
            float* r6 = null, r7 = null, r8 = null, r9 = null, r10 = null, r11 = null;
            if (R.Value == 12)
            {
                r6 = rows[6] + offset;
                r7 = rows[7] + offset;
                r8 = rows[8] + offset;
                r9 = rows[9] + offset;
                r10 = rows[10] + offset;
                r11 = rows[11] + offset;
            }
            for (nint k = 0; k < length; k++, p += ldb)
            {
                var v = TileRow<L, V, N>.Load(p);
                c0.AddProduct(r0[k], v);
                c1.AddProduct(r1[k], v);
                c2.AddProduct(r2[k], v);
                c3.AddProduct(r3[k], v);
                c4.AddProduct(r4[k], v);
                c5.AddProduct(r5[k], v);
                if (R.Value == 6) continue;
                c6.AddProduct(r6[k], v);
                c7.AddProduct(r7[k], v);
                c8.AddProduct(r8[k], v);
                c9.AddProduct(r9[k], v);
                c10.AddProduct(r10[k], v);
                c11.AddProduct(r11[k], v);
            }
        }
        V low = L.Create(floor);
        c0.StoreMax(low, outs[0]);
        c1.StoreMax(low, outs[1]);
        c2.StoreMax(low, outs[2]);
        c3.StoreMax(low, outs[3]);
        c4.StoreMax(low, outs[4]);
        c5.StoreMax(low, outs[5]);
        if (R.Value == 6) return;
        c6.StoreMax(low, outs[6]);
        c7.StoreMax(low, outs[7]);
        c8.StoreMax(low, outs[8]);
        c9.StoreMax(low, outs[9]);
        c10.StoreMax(low, outs[10]);
        c11.StoreMax(low, outs[11]);
    }
}
