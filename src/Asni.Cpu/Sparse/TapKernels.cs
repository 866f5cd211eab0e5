using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;

namespace Asni.Cpu.Sparse;

/// <summary>
/// The inner loops over taps. A line's results are computed eight vectors at a time in registers; every tap is one broadcast against eight
/// loads. Pitches are in floats.
/// </summary>
internal static unsafe class TapKernels
{
    /// <summary>
    /// y(line, row, vector) = sum over the line's taps of value * x(row, vector + offset), for a block of rows of <paramref name="width"/>
    /// vectors. All lines take their turn on a tile, so that what they read of x is still in the first cache.
    /// </summary>
    /// <param name="starts">Of the first block's first line.</param>
    /// <param name="stride">Lists from a block to the next.</param>
    public static void Product<L, V>(Tap* taps, int* starts, int lines, int blocks, int stride, float* x, nint xPitch, int rows, int width, float* y, nint yPitch, nint yLine)
        where L : struct, ILanes<V> where V : struct
    {
        var lists = new Lists(taps, starts, lines, blocks, stride, yLine);
        int row = 0, n = L.Count;
        // Two rows of four vectors have fewer neighbours than one of eight. A last tile reaches back over the one before it rather than be narrow.
        if (width >= 4)
            for (; row + 2 <= rows; row += 2)
                for (int j = 0; j < width; j += 4)
                {
                    nint at = Math.Min(j, width - 4) * n;
                    Tiles<L, V, Four>(lists, x + row * xPitch + at, xPitch, y + row * yPitch + at, yPitch);
                }
        else if (width == 2)
            for (; row + 2 <= rows; row += 2) Tiles<L, V, Two>(lists, x + row * xPitch, xPitch, y + row * yPitch, yPitch);
        for (; row < rows; row++)
        {
            float* from = x + row * xPitch, to = y + row * yPitch;
            int j = 0;
            for (; j + 8 <= width; j += 8) Tiles<L, V, Four>(lists, from + j * n, 4 * n, to + j * n, 4 * n);
            int rest = width - j;
            if (rest == 0) continue;
            if (width < 4)
                for (; j < width; j++) Tiles1<L, V>(lists, from + j * n, to + j * n);
            else if (rest <= 4)
                Tiles<L, V, Two>(lists, from + (width - 4) * n, 2 * n, to + (width - 4) * n, 2 * n);
            else if (width < 8)
                Tiles<L, V, Four>(lists, from, (width - 4) * n, to, (width - 4) * n);
            else
                Tiles<L, V, Four>(lists, from + (width - 8) * n, 4 * n, to + (width - 8) * n, 4 * n);
        }
    }

    /// <summary>How many tiles of eight vectors, of four and of one <see cref="Product"/> cuts a block of rows into.</summary>
    public static (int Eight, int Four, int One) Tiles(int rows, int width)
    {
        int pairs = rows / 2, single = rows % 2, rest = width % 8;
        if (width < 4) return width == 2 ? (0, pairs, 2 * single) : (0, 0, rows * width);
        return (pairs * ((width + 3) / 4) + single * (width / 8 + (rest > 4 ? 1 : 0)), rest is > 0 and <= 4 ? single : 0, 0);
    }

    private readonly struct Lists(Tap* taps, int* starts, int lines, int blocks, int stride, nint pitch)
    {
        public readonly int Lines = lines, Blocks = blocks, Stride = stride;
        public readonly nint Pitch = pitch;
        public readonly Tap* this[int list] => taps + starts[list];
        public readonly int Count(int list) => starts[list + 1] - starts[list];
    }

    private static void Tiles<L, V, N>(in Lists lists, float* x, nint xStep, float* y, nint yStep)
        where L : struct, ILanes<V> where V : struct where N : struct, IConstant
    {
        for (int block = 0; block < lists.Blocks; block++)
            for (int line = 0, list = block * lists.Stride; line < lists.Lines; line++, list++)
                Tile<L, V, N>(lists[list], lists.Count(list), x, xStep, y + line * lists.Pitch, yStep, block > 0);
    }

    private static void Tiles1<L, V>(in Lists lists, float* x, float* y) where L : struct, ILanes<V> where V : struct
    {
        for (int block = 0; block < lists.Blocks; block++)
            for (int line = 0, list = block * lists.Stride; line < lists.Lines; line++, list++) Tile1<L, V>(lists[list], lists.Count(list), x, y + line * lists.Pitch, block > 0);
    }

    /// <summary>A row of <typeparamref name="N"/> vectors, and one more at a distance.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void Tile<L, V, N>(Tap* taps, int count, float* x, nint xStep, float* y, nint yStep, bool add)
        where L : struct, ILanes<V> where V : struct where N : struct, IConstant
    {
        if (add && count == 0) return;
        TileRow<L, V, N> a = default, b = default;
        if (add)
        {
            a = TileRow<L, V, N>.Load(y);
            b = TileRow<L, V, N>.Load(y + yStep);
        }
        for (Tap* end = taps + count; taps < end; taps++)
        {
            V w = L.Create(taps->Value);
            float* p = x + taps->Offset, q = p + xStep;
            a.AddProduct(w, p);
            b.AddProduct(w, q);
        }
        a.Store(y);
        b.Store(y + yStep);
    }

    private static void Tile1<L, V>(Tap* taps, int count, float* x, float* y, bool add) where L : struct, ILanes<V> where V : struct
    {
        V a = add ? L.Load(y) : default;
        for (Tap* end = taps + count; taps < end; taps++) a = L.Fma(L.Create(taps->Value), L.Load(x + taps->Offset), a);
        L.Store(a, y);
    }

    /// <summary>sums[k] += sum over a block of rows of <paramref name="width"/> vectors of dy(row, vector) * x(row, vector + offset of tap k).</summary>
    public static void AddDots<L, V>(Tap* taps, int count, float* x, nint xPitch, float* dy, nint dyPitch, int rows, int width, float* sums)
        where L : struct, ILanes<V> where V : struct
    {
        int k = 0;
        for (; k + 8 <= count; k += 8) (Vector256.Load(sums + k) + Dots8<L, V>(taps + k, x, xPitch, dy, dyPitch, rows, width)).Store(sums + k);
        if (k == count) return;
        // What is left, and the last of it again for those that are missing.
        Tap* rest = stackalloc Tap[8];
        for (int i = 0; i < 8; i++) rest[i] = taps[Math.Min(k + i, count - 1)];
        Vector256<float> results = count - k > 4
            ? Dots8<L, V>(rest, x, xPitch, dy, dyPitch, rows, width)
            : Dots4<L, V>(rest, x, xPitch, dy, dyPitch, rows, width).ToVector256();
        for (int i = 0; k < count; i++, k++) sums[k] += results[i];
    }

    /// <summary>to[places[k]] = sum over <paramref name="width"/> vectors of dy(vector) * x(vector + offset of tap k).</summary>
    public static void PutDots<L, V>(Tap* taps, int count, float* x, float* dy, int width, int* places, float* to)
        where L : struct, ILanes<V> where V : struct
    {
        int k = 0;
        for (; k + 8 <= count; k += 8) Put(Dots8<L, V>(taps + k, x, 0, dy, 0, 1, width), places + k, to);
        int rest = count - k;
        if (rest == 0) return;
        // Groups that reach back over the ones before them put the same sums again.
        int last8 = count - 8, last4 = count - 4;
        if (rest > 4 && last8 >= 0) Put(Dots8<L, V>(taps + last8, x, 0, dy, 0, 1, width), places + last8, to);
        else if (last4 >= 0)
        {
            if (rest > 4) Put(Dots4<L, V>(taps + k, x, 0, dy, 0, 1, width), places + k, to);
            Put(Dots4<L, V>(taps + last4, x, 0, dy, 0, 1, width), places + last4, to);
        }
        else
            for (; k < count; k++) to[places[k]] = Dot<L, V>(x + taps[k].Offset, dy, width);
    }

    // Written out: a loop over the elements of a register goes through memory.
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void Put(Vector256<float> sums, int* places, float* to)
    {
        Put(sums.GetLower(), places, to);
        Put(sums.GetUpper(), places + 4, to);
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void Put(Vector128<float> sums, int* places, float* to)
    {
        to[places[0]] = sums[0];
        to[places[1]] = sums[1];
        to[places[2]] = sums[2];
        to[places[3]] = sums[3];
    }

    private static Vector256<float> Dots8<L, V>(Tap* taps, float* x, nint xPitch, float* dy, nint dyPitch, int rows, int width)
        where L : struct, ILanes<V> where V : struct
    {
        V a0 = default, a1 = default, a2 = default, a3 = default, a4 = default, a5 = default, a6 = default, a7 = default;
        for (int row = 0; row < rows; row++, x += xPitch, dy += dyPitch)
        {
            float* p0 = x + taps[0].Offset, p1 = x + taps[1].Offset, p2 = x + taps[2].Offset, p3 = x + taps[3].Offset;
            float* p4 = x + taps[4].Offset, p5 = x + taps[5].Offset, p6 = x + taps[6].Offset, p7 = x + taps[7].Offset;
            for (nint i = 0; i < width * L.Count; i += L.Count)
            {
                V d = L.Load(dy + i);
                a0 = L.Fma(d, L.Load(p0 + i), a0);
                a1 = L.Fma(d, L.Load(p1 + i), a1);
                a2 = L.Fma(d, L.Load(p2 + i), a2);
                a3 = L.Fma(d, L.Load(p3 + i), a3);
                a4 = L.Fma(d, L.Load(p4 + i), a4);
                a5 = L.Fma(d, L.Load(p5 + i), a5);
                a6 = L.Fma(d, L.Load(p6 + i), a6);
                a7 = L.Fma(d, L.Load(p7 + i), a7);
            }
        }
        return L.Sums(a0, a1, a2, a3, a4, a5, a6, a7);
    }

    private static Vector128<float> Dots4<L, V>(Tap* taps, float* x, nint xPitch, float* dy, nint dyPitch, int rows, int width)
        where L : struct, ILanes<V> where V : struct
    {
        V a = default, b = default, c = default, d = default;
        for (int row = 0; row < rows; row++, x += xPitch, dy += dyPitch)
        {
            float* p = x + taps[0].Offset, q = x + taps[1].Offset, r = x + taps[2].Offset, s = x + taps[3].Offset;
            for (nint i = 0; i < width * L.Count; i += L.Count)
            {
                V g = L.Load(dy + i);
                a = L.Fma(g, L.Load(p + i), a);
                b = L.Fma(g, L.Load(q + i), b);
                c = L.Fma(g, L.Load(r + i), c);
                d = L.Fma(g, L.Load(s + i), d);
            }
        }
        return Vector128.Create(L.Sum(a), L.Sum(b), L.Sum(c), L.Sum(d));
    }

    private static float Dot<L, V>(float* x, float* dy, int width) where L : struct, ILanes<V> where V : struct
    {
        V a = default;
        for (nint i = 0; i < width * L.Count; i += L.Count) a = L.Fma(L.Load(dy + i), L.Load(x + i), a);
        return L.Sum(a);
    }
}
