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
        if (vectors == 4) Tile<L, V, Six, Four>(x, offsets, dy, ldd, count, tile);
        else if (vectors == 1) Tile<L, V, Twelve, One>(x, offsets, dy, ldd, count, tile);
        else if (L.Count == 16) Tile<L, V, Twelve, Two>(x, offsets, dy, ldd, count, tile);
        else Tile<L, V, Six, Two>(x, offsets, dy, ldd, count, tile);
    }

    /// <summary><typeparamref name="R"/> inner elements, 6 or 12, by <typeparamref name="N"/> vectors.</summary>
    private static void Tile<L, V, R, N>(float* x, int* offsets, float* dy, nint ldd, nint count, float* tile)
        where L : struct, ILanes<V> where V : struct where R : struct, IConstant where N : struct, IConstant
    {
        TileRow<L, V, N> c0 = default, c1 = default, c2 = default, c3 = default, c4 = default, c5 = default;
        TileRow<L, V, N> c6 = default, c7 = default, c8 = default, c9 = default, c10 = default, c11 = default;
        for (nint p = 0; p < count; p++, dy += ldd)
        {
            float* a = x + offsets[p];
            var d = TileRow<L, V, N>.Load(dy);
            c0.AddProduct(a[0], d);
            c1.AddProduct(a[1], d);
            c2.AddProduct(a[2], d);
            c3.AddProduct(a[3], d);
            c4.AddProduct(a[4], d);
            c5.AddProduct(a[5], d);
            if (R.Value == 6) continue;
            c6.AddProduct(a[6], d);
            c7.AddProduct(a[7], d);
            c8.AddProduct(a[8], d);
            c9.AddProduct(a[9], d);
            c10.AddProduct(a[10], d);
            c11.AddProduct(a[11], d);
        }
        c0.Store(tile);
        c1.Store(tile + InnerTiles.Stride);
        c2.Store(tile + 2 * InnerTiles.Stride);
        c3.Store(tile + 3 * InnerTiles.Stride);
        c4.Store(tile + 4 * InnerTiles.Stride);
        c5.Store(tile + 5 * InnerTiles.Stride);
        if (R.Value == 6) return;
        c6.Store(tile + 6 * InnerTiles.Stride);
        c7.Store(tile + 7 * InnerTiles.Stride);
        c8.Store(tile + 8 * InnerTiles.Stride);
        c9.Store(tile + 9 * InnerTiles.Stride);
        c10.Store(tile + 10 * InnerTiles.Stride);
        c11.Store(tile + 11 * InnerTiles.Stride);
    }
}
