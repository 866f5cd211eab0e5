namespace Asni.Cpu.Convolution;

/// <summary>A run of consecutive inner elements: where it starts behind a row's pointer, how long it is, and its first row of B.</summary>
internal readonly record struct InnerRun(int Offset, int Length, int Row);

/// <summary>What each row of a tile begins with, as many floats as the tile is wide, and what it is cut off at. NaN stays.</summary>
internal readonly unsafe struct TileEnds(float* start, float floor = float.NegativeInfinity, float ceiling = float.PositiveInfinity)
{
    public readonly float* Start = start;
    public readonly float Floor = floor, Ceiling = ceiling;
}

/// <summary>
/// Register tiles of C = A * B: rows of A are given by pointers (an implicit im2col), B by rows of <c>ldb</c> floats. Every element of A is
/// broadcast against vectors of B. Each row of the result begins with what stands at the start (a bias, or zeros), is cut off at both ends, and goes to
/// a place of its own: its destination, or a row of a small buffer of <see cref="Stride"/> floats a row when something is still to be done with it.
/// </summary>
internal static unsafe class InnerTiles
{
    /// <summary>Floats between rows of a tile buffer.</summary>
    public const int Stride = 64;

    public const int MaximumRows = 12;

    /// <summary>Vectors of a tile of one row, enough for no sum to wait for itself, and the most columns that they have.</summary>
    public const int RowVectors = 8, MaximumColumns = 16 * RowVectors;

    /// <summary>Rows of the largest tile with this many vectors: it fills the register file. With 16 registers, four vectors are for one row alone.</summary>
    public static int Rows(int vectors, bool wide) => vectors == RowVectors ? 1 : vectors == 4 ? 6 : vectors == 2 ? (wide ? 12 : 6) : 12;

    /// <param name="column">Floats behind each of <paramref name="outs"/>.</param>
    /// <param name="count">Rows that are wanted, up to <see cref="Rows"/>. Computed are 1, 2, 4, 6 or 12, whichever is next, so that as many pointers must be valid.</param>
    public static void Run<L, V>(int vectors, int count, float** rows, InnerRun* segment, InnerRun* end, float* b, nint ldb, in TileEnds ends, float** outs, nint column)
        where L : struct, ILanes<V> where V : struct
    {
        if (vectors == RowVectors) Row<L, V>(rows[0], segment, end, b, ldb, ends, outs[0] + column);
        else if (vectors == 4) Tiles<L, V, Six, Four>(count, rows, segment, end, b, ldb, ends, outs, column);
        else if (vectors == 1) Tiles<L, V, Twelve, One>(count, rows, segment, end, b, ldb, ends, outs, column);
        else if (L.Count == 16) Tiles<L, V, Twelve, Two>(count, rows, segment, end, b, ldb, ends, outs, column);
        else Tiles<L, V, Six, Two>(count, rows, segment, end, b, ldb, ends, outs, column);
    }

    /// <summary>Each element's sum is the same whichever tile computes it.</summary>
    private static void Tiles<L, V, R, N>(int count, float** rows, InnerRun* segment, InnerRun* end, float* b, nint ldb, in TileEnds ends, float** outs, nint column)
        where L : struct, ILanes<V> where V : struct where R : struct, IConstant where N : struct, IConstant
    {
        if (count > 6 || count > 4 && R.Value == 6) Tile<L, V, R, N>(rows, segment, end, b, ldb, ends, outs, column);
        else if (count > 4) Tile<L, V, Six, N>(rows, segment, end, b, ldb, ends, outs, column);
        else if (count > 2) Tile<L, V, Four, N>(rows, segment, end, b, ldb, ends, outs, column);
        else if (count == 2) Tile<L, V, Two, N>(rows, segment, end, b, ldb, ends, outs, column);
        else Tile<L, V, One, N>(rows, segment, end, b, ldb, ends, outs, column);
    }

    /// <summary>One row by <see cref="RowVectors"/> vectors.</summary>
    private static void Row<L, V>(float* row, InnerRun* segment, InnerRun* end, float* b, nint ldb, in TileEnds ends, float* to) where L : struct, ILanes<V> where V : struct
    {
        int half = RowVectors / 2 * L.Count;
        TileRow<L, V, Four> low = TileRow<L, V, Four>.Load(ends.Start), high = TileRow<L, V, Four>.Load(ends.Start + half);
        for (; segment < end; segment++)
        {
            float* p = b + segment->Row * ldb, a = row + segment->Offset, last = a + segment->Length;
            for (; a < last; a++, p += ldb)
            {
                V factor = L.Create(*a);
                low.AddProduct(factor, p);
                high.AddProduct(factor, p + half);
            }
        }
        V floor = L.Create(ends.Floor), ceiling = L.Create(ends.Ceiling);
        low.StoreClamped(floor, ceiling, to);
        high.StoreClamped(floor, ceiling, to + half);
    }

    /// <summary><typeparamref name="R"/> rows, 1, 2, 4, 6 or 12, by <typeparamref name="N"/> vectors.</summary>
    private static void Tile<L, V, R, N>(float** rows, InnerRun* segment, InnerRun* end, float* b, nint ldb, in TileEnds ends, float** outs, nint column)
        where L : struct, ILanes<V> where V : struct where R : struct, IConstant where N : struct, IConstant
    {
        TileRow<L, V, N> c0 = default, c1 = default, c2 = default, c3 = default, c4 = default, c5 = default;
        TileRow<L, V, N> c6 = default, c7 = default, c8 = default, c9 = default, c10 = default, c11 = default;
        float* start = ends.Start;
        c0 = TileRow<L, V, N>.Load(start);
        if (R.Value > 1) c1 = TileRow<L, V, N>.Load(start);
        if (R.Value > 2)
        {
            c2 = TileRow<L, V, N>.Load(start);
            c3 = TileRow<L, V, N>.Load(start);
        }
        if (R.Value > 4)
        {
            c4 = TileRow<L, V, N>.Load(start);
            c5 = TileRow<L, V, N>.Load(start);
        }
        if (R.Value > 6)
        {
            c6 = TileRow<L, V, N>.Load(start);
            c7 = TileRow<L, V, N>.Load(start);
            c8 = TileRow<L, V, N>.Load(start);
            c9 = TileRow<L, V, N>.Load(start);
            c10 = TileRow<L, V, N>.Load(start);
            c11 = TileRow<L, V, N>.Load(start);
        }
        for (; segment < end; segment++)
        {
            float* p = b + segment->Row * ldb;
            nint offset = segment->Offset, length = segment->Length;
            float* r0 = null, r1 = null, r2 = null, r3 = null, r4 = null, r5 = null, r6 = null, r7 = null, r8 = null, r9 = null, r10 = null, r11 = null;
            r0 = rows[0] + offset;
            if (R.Value > 1) r1 = rows[1] + offset;
            if (R.Value > 2)
            {
                r2 = rows[2] + offset;
                r3 = rows[3] + offset;
            }
            if (R.Value > 4)
            {
                r4 = rows[4] + offset;
                r5 = rows[5] + offset;
            }
            if (R.Value > 6)
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
                if (R.Value > 1) c1.AddProduct(r1[k], v);
                if (R.Value > 2)
                {
                    c2.AddProduct(r2[k], v);
                    c3.AddProduct(r3[k], v);
                }
                if (R.Value > 4)
                {
                    c4.AddProduct(r4[k], v);
                    c5.AddProduct(r5[k], v);
                }
                if (R.Value > 6)
                {
                    c6.AddProduct(r6[k], v);
                    c7.AddProduct(r7[k], v);
                    c8.AddProduct(r8[k], v);
                    c9.AddProduct(r9[k], v);
                    c10.AddProduct(r10[k], v);
                    c11.AddProduct(r11[k], v);
                }
            }
        }
        V floor = L.Create(ends.Floor), ceiling = L.Create(ends.Ceiling);
        c0.StoreClamped(floor, ceiling, outs[0] + column);
        if (R.Value > 1) c1.StoreClamped(floor, ceiling, outs[1] + column);
        if (R.Value > 2)
        {
            c2.StoreClamped(floor, ceiling, outs[2] + column);
            c3.StoreClamped(floor, ceiling, outs[3] + column);
        }
        if (R.Value > 4)
        {
            c4.StoreClamped(floor, ceiling, outs[4] + column);
            c5.StoreClamped(floor, ceiling, outs[5] + column);
        }
        if (R.Value > 6)
        {
            c6.StoreClamped(floor, ceiling, outs[6] + column);
            c7.StoreClamped(floor, ceiling, outs[7] + column);
            c8.StoreClamped(floor, ceiling, outs[8] + column);
            c9.StoreClamped(floor, ceiling, outs[9] + column);
            c10.StoreClamped(floor, ceiling, outs[10] + column);
            c11.StoreClamped(floor, ceiling, outs[11] + column);
        }
    }
}
