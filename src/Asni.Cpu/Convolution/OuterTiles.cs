namespace Asni.Cpu.Convolution;

/// <summary>
/// Register tiles of dW = X^T * dY: for each position, consecutive inner elements of X times vectors of dY. X is reached through a table of
/// offsets (an implicit im2col), dY by rows of <c>ldd</c> floats. Rows and buffer as in <see cref="InnerTiles"/>.
/// </summary>
internal static unsafe class OuterTiles
{
    public static void Run<L, V>(int vectors, float* x, int* offsets, float* dy, nint ldd, nint count, float* tile)
        where L : struct, ILanes<V> where V : struct
    {
        if (vectors == 4) Tile6x4<L, V>(x, offsets, dy, ldd, count, tile);
        else if (vectors == 1) Tile12x1<L, V>(x, offsets, dy, ldd, count, tile);
        else if (L.Count == 16) Tile12x2<L, V>(x, offsets, dy, ldd, count, tile);
        else Tile6x2<L, V>(x, offsets, dy, ldd, count, tile);
    }

    /// <summary>6 inner elements by 4 vectors.</summary>
    private static void Tile6x4<L, V>(float* x, int* offsets, float* dy, nint ldd, nint count, float* tile)
        where L : struct, ILanes<V> where V : struct
    {
        V c0_0 = default, c0_1 = default, c0_2 = default, c0_3 = default;
        V c1_0 = default, c1_1 = default, c1_2 = default, c1_3 = default;
        V c2_0 = default, c2_1 = default, c2_2 = default, c2_3 = default;
        V c3_0 = default, c3_1 = default, c3_2 = default, c3_3 = default;
        V c4_0 = default, c4_1 = default, c4_2 = default, c4_3 = default;
        V c5_0 = default, c5_1 = default, c5_2 = default, c5_3 = default;
        for (nint p = 0; p < count; p++, dy += ldd)
        {
            float* a = x + offsets[p];
            V d0 = L.Load(dy), d1 = L.Load(dy + 1 * L.Count), d2 = L.Load(dy + 2 * L.Count), d3 = L.Load(dy + 3 * L.Count);
            V e = L.Create(a[0]);
            c0_0 = L.Fma(e, d0, c0_0);
            c0_1 = L.Fma(e, d1, c0_1);
            c0_2 = L.Fma(e, d2, c0_2);
            c0_3 = L.Fma(e, d3, c0_3);
            e = L.Create(a[1]);
            c1_0 = L.Fma(e, d0, c1_0);
            c1_1 = L.Fma(e, d1, c1_1);
            c1_2 = L.Fma(e, d2, c1_2);
            c1_3 = L.Fma(e, d3, c1_3);
            e = L.Create(a[2]);
            c2_0 = L.Fma(e, d0, c2_0);
            c2_1 = L.Fma(e, d1, c2_1);
            c2_2 = L.Fma(e, d2, c2_2);
            c2_3 = L.Fma(e, d3, c2_3);
            e = L.Create(a[3]);
            c3_0 = L.Fma(e, d0, c3_0);
            c3_1 = L.Fma(e, d1, c3_1);
            c3_2 = L.Fma(e, d2, c3_2);
            c3_3 = L.Fma(e, d3, c3_3);
            e = L.Create(a[4]);
            c4_0 = L.Fma(e, d0, c4_0);
            c4_1 = L.Fma(e, d1, c4_1);
            c4_2 = L.Fma(e, d2, c4_2);
            c4_3 = L.Fma(e, d3, c4_3);
            e = L.Create(a[5]);
            c5_0 = L.Fma(e, d0, c5_0);
            c5_1 = L.Fma(e, d1, c5_1);
            c5_2 = L.Fma(e, d2, c5_2);
            c5_3 = L.Fma(e, d3, c5_3);
        }
        L.Store(c0_0, tile + 0); L.Store(c0_1, tile + 0 + 1 * L.Count); L.Store(c0_2, tile + 0 + 2 * L.Count); L.Store(c0_3, tile + 0 + 3 * L.Count);
        L.Store(c1_0, tile + 64); L.Store(c1_1, tile + 64 + 1 * L.Count); L.Store(c1_2, tile + 64 + 2 * L.Count); L.Store(c1_3, tile + 64 + 3 * L.Count);
        L.Store(c2_0, tile + 128); L.Store(c2_1, tile + 128 + 1 * L.Count); L.Store(c2_2, tile + 128 + 2 * L.Count); L.Store(c2_3, tile + 128 + 3 * L.Count);
        L.Store(c3_0, tile + 192); L.Store(c3_1, tile + 192 + 1 * L.Count); L.Store(c3_2, tile + 192 + 2 * L.Count); L.Store(c3_3, tile + 192 + 3 * L.Count);
        L.Store(c4_0, tile + 256); L.Store(c4_1, tile + 256 + 1 * L.Count); L.Store(c4_2, tile + 256 + 2 * L.Count); L.Store(c4_3, tile + 256 + 3 * L.Count);
        L.Store(c5_0, tile + 320); L.Store(c5_1, tile + 320 + 1 * L.Count); L.Store(c5_2, tile + 320 + 2 * L.Count); L.Store(c5_3, tile + 320 + 3 * L.Count);
    }

    /// <summary>12 inner elements by 2 vectors.</summary>
    private static void Tile12x2<L, V>(float* x, int* offsets, float* dy, nint ldd, nint count, float* tile)
        where L : struct, ILanes<V> where V : struct
    {
        V c0_0 = default, c0_1 = default;
        V c1_0 = default, c1_1 = default;
        V c2_0 = default, c2_1 = default;
        V c3_0 = default, c3_1 = default;
        V c4_0 = default, c4_1 = default;
        V c5_0 = default, c5_1 = default;
        V c6_0 = default, c6_1 = default;
        V c7_0 = default, c7_1 = default;
        V c8_0 = default, c8_1 = default;
        V c9_0 = default, c9_1 = default;
        V c10_0 = default, c10_1 = default;
        V c11_0 = default, c11_1 = default;
        for (nint p = 0; p < count; p++, dy += ldd)
        {
            float* a = x + offsets[p];
            V d0 = L.Load(dy), d1 = L.Load(dy + 1 * L.Count);
            V e = L.Create(a[0]);
            c0_0 = L.Fma(e, d0, c0_0);
            c0_1 = L.Fma(e, d1, c0_1);
            e = L.Create(a[1]);
            c1_0 = L.Fma(e, d0, c1_0);
            c1_1 = L.Fma(e, d1, c1_1);
            e = L.Create(a[2]);
            c2_0 = L.Fma(e, d0, c2_0);
            c2_1 = L.Fma(e, d1, c2_1);
            e = L.Create(a[3]);
            c3_0 = L.Fma(e, d0, c3_0);
            c3_1 = L.Fma(e, d1, c3_1);
            e = L.Create(a[4]);
            c4_0 = L.Fma(e, d0, c4_0);
            c4_1 = L.Fma(e, d1, c4_1);
            e = L.Create(a[5]);
            c5_0 = L.Fma(e, d0, c5_0);
            c5_1 = L.Fma(e, d1, c5_1);
            e = L.Create(a[6]);
            c6_0 = L.Fma(e, d0, c6_0);
            c6_1 = L.Fma(e, d1, c6_1);
            e = L.Create(a[7]);
            c7_0 = L.Fma(e, d0, c7_0);
            c7_1 = L.Fma(e, d1, c7_1);
            e = L.Create(a[8]);
            c8_0 = L.Fma(e, d0, c8_0);
            c8_1 = L.Fma(e, d1, c8_1);
            e = L.Create(a[9]);
            c9_0 = L.Fma(e, d0, c9_0);
            c9_1 = L.Fma(e, d1, c9_1);
            e = L.Create(a[10]);
            c10_0 = L.Fma(e, d0, c10_0);
            c10_1 = L.Fma(e, d1, c10_1);
            e = L.Create(a[11]);
            c11_0 = L.Fma(e, d0, c11_0);
            c11_1 = L.Fma(e, d1, c11_1);
        }
        L.Store(c0_0, tile + 0); L.Store(c0_1, tile + 0 + 1 * L.Count);
        L.Store(c1_0, tile + 64); L.Store(c1_1, tile + 64 + 1 * L.Count);
        L.Store(c2_0, tile + 128); L.Store(c2_1, tile + 128 + 1 * L.Count);
        L.Store(c3_0, tile + 192); L.Store(c3_1, tile + 192 + 1 * L.Count);
        L.Store(c4_0, tile + 256); L.Store(c4_1, tile + 256 + 1 * L.Count);
        L.Store(c5_0, tile + 320); L.Store(c5_1, tile + 320 + 1 * L.Count);
        L.Store(c6_0, tile + 384); L.Store(c6_1, tile + 384 + 1 * L.Count);
        L.Store(c7_0, tile + 448); L.Store(c7_1, tile + 448 + 1 * L.Count);
        L.Store(c8_0, tile + 512); L.Store(c8_1, tile + 512 + 1 * L.Count);
        L.Store(c9_0, tile + 576); L.Store(c9_1, tile + 576 + 1 * L.Count);
        L.Store(c10_0, tile + 640); L.Store(c10_1, tile + 640 + 1 * L.Count);
        L.Store(c11_0, tile + 704); L.Store(c11_1, tile + 704 + 1 * L.Count);
    }

    /// <summary>12 inner elements by 1 vectors.</summary>
    private static void Tile12x1<L, V>(float* x, int* offsets, float* dy, nint ldd, nint count, float* tile)
        where L : struct, ILanes<V> where V : struct
    {
        V c0_0 = default;
        V c1_0 = default;
        V c2_0 = default;
        V c3_0 = default;
        V c4_0 = default;
        V c5_0 = default;
        V c6_0 = default;
        V c7_0 = default;
        V c8_0 = default;
        V c9_0 = default;
        V c10_0 = default;
        V c11_0 = default;
        for (nint p = 0; p < count; p++, dy += ldd)
        {
            float* a = x + offsets[p];
            V d0 = L.Load(dy);
            c0_0 = L.Fma(L.Create(a[0]), d0, c0_0);
            c1_0 = L.Fma(L.Create(a[1]), d0, c1_0);
            c2_0 = L.Fma(L.Create(a[2]), d0, c2_0);
            c3_0 = L.Fma(L.Create(a[3]), d0, c3_0);
            c4_0 = L.Fma(L.Create(a[4]), d0, c4_0);
            c5_0 = L.Fma(L.Create(a[5]), d0, c5_0);
            c6_0 = L.Fma(L.Create(a[6]), d0, c6_0);
            c7_0 = L.Fma(L.Create(a[7]), d0, c7_0);
            c8_0 = L.Fma(L.Create(a[8]), d0, c8_0);
            c9_0 = L.Fma(L.Create(a[9]), d0, c9_0);
            c10_0 = L.Fma(L.Create(a[10]), d0, c10_0);
            c11_0 = L.Fma(L.Create(a[11]), d0, c11_0);
        }
        L.Store(c0_0, tile + 0);
        L.Store(c1_0, tile + 64);
        L.Store(c2_0, tile + 128);
        L.Store(c3_0, tile + 192);
        L.Store(c4_0, tile + 256);
        L.Store(c5_0, tile + 320);
        L.Store(c6_0, tile + 384);
        L.Store(c7_0, tile + 448);
        L.Store(c8_0, tile + 512);
        L.Store(c9_0, tile + 576);
        L.Store(c10_0, tile + 640);
        L.Store(c11_0, tile + 704);
    }

    /// <summary>6 inner elements by 2 vectors.</summary>
    private static void Tile6x2<L, V>(float* x, int* offsets, float* dy, nint ldd, nint count, float* tile)
        where L : struct, ILanes<V> where V : struct
    {
        V c0_0 = default, c0_1 = default;
        V c1_0 = default, c1_1 = default;
        V c2_0 = default, c2_1 = default;
        V c3_0 = default, c3_1 = default;
        V c4_0 = default, c4_1 = default;
        V c5_0 = default, c5_1 = default;
        for (nint p = 0; p < count; p++, dy += ldd)
        {
            float* a = x + offsets[p];
            V d0 = L.Load(dy), d1 = L.Load(dy + 1 * L.Count);
            V e = L.Create(a[0]);
            c0_0 = L.Fma(e, d0, c0_0);
            c0_1 = L.Fma(e, d1, c0_1);
            e = L.Create(a[1]);
            c1_0 = L.Fma(e, d0, c1_0);
            c1_1 = L.Fma(e, d1, c1_1);
            e = L.Create(a[2]);
            c2_0 = L.Fma(e, d0, c2_0);
            c2_1 = L.Fma(e, d1, c2_1);
            e = L.Create(a[3]);
            c3_0 = L.Fma(e, d0, c3_0);
            c3_1 = L.Fma(e, d1, c3_1);
            e = L.Create(a[4]);
            c4_0 = L.Fma(e, d0, c4_0);
            c4_1 = L.Fma(e, d1, c4_1);
            e = L.Create(a[5]);
            c5_0 = L.Fma(e, d0, c5_0);
            c5_1 = L.Fma(e, d1, c5_1);
        }
        L.Store(c0_0, tile + 0); L.Store(c0_1, tile + 0 + 1 * L.Count);
        L.Store(c1_0, tile + 64); L.Store(c1_1, tile + 64 + 1 * L.Count);
        L.Store(c2_0, tile + 128); L.Store(c2_1, tile + 128 + 1 * L.Count);
        L.Store(c3_0, tile + 192); L.Store(c3_1, tile + 192 + 1 * L.Count);
        L.Store(c4_0, tile + 256); L.Store(c4_1, tile + 256 + 1 * L.Count);
        L.Store(c5_0, tile + 320); L.Store(c5_1, tile + 320 + 1 * L.Count);
    }
}
