using System.Runtime.CompilerServices;

namespace Asni.Cpu.Convolution;

/// <summary>
/// The linear maps of Winograd's minimal filtering F(4x4, 3x3): y = A^T [(G w G^T) * (B^T x B)] A (A. Lavin, S. Gray, "Fast Algorithms for
/// Convolutional Neural Networks", 2016), and those of its gradient by the filter, dw = G^T [(B^T x B) * (A dy A^T)] G, which are the same
/// ones transposed. A tile of 6x6 inputs gives 4x4 outputs by 36 multiplications in place of 144. The points are 0, +-5/8, +-3/2 and infinity:
/// for 64 channels of normal numbers the error is 8e-7 of a result's size, twice that of a plain sum, where the usual 0, +-1, +-2 give 2e-6.
/// All maps work on one vector of channels; the elements of a side lie <c>step</c> floats apart, a row's after one another.
/// </summary>
internal static unsafe class WinogradTransforms
{
    /// <summary>Outputs of a tile along an axis, inputs of a tile, and products of a tile.</summary>
    public const int Outputs = 4, Inputs = 6, Points = Inputs * Inputs;

    /// <summary>Floats of the temporary memory that each map needs.</summary>
    public const int Temporary = Points * 16;

    /// <summary>Channels of a result that are taken out together: a cache line.</summary>
    public const int ResultStep = 16;

    // The points, and powers of them. A^T has their powers as columns, B^T the polynomials that are 0 at all points but one as rows, and G the
    // powers over those polynomials' values.
    private const float P = 5f / 8, Q = 3f / 2, P2 = P * P, Q2 = Q * Q, P3 = P2 * P, Q3 = Q2 * Q;

    /// <summary>B^T x B of the 36 places that <paramref name="x"/> points to.</summary>
    public static void Input<L, V>(float** x, nint channel, float* temporary, float* to, nint step) where L : struct, ILanes<V> where V : struct
    {
        for (int j = 0; j < Inputs; j++, x++, temporary += L.Count)
            InputLine<L, V>(L.Load(x[0] + channel), L.Load(x[6] + channel), L.Load(x[12] + channel), L.Load(x[18] + channel), L.Load(x[24] + channel),
                L.Load(x[30] + channel), temporary, Inputs * L.Count);
        temporary -= Inputs * L.Count;
        for (int i = 0; i < Inputs; i++, temporary += Inputs * L.Count, to += Inputs * step)
            InputLine<L, V>(L.Load(temporary), L.Load(temporary + L.Count), L.Load(temporary + 2 * L.Count), L.Load(temporary + 3 * L.Count),
                L.Load(temporary + 4 * L.Count), L.Load(temporary + 5 * L.Count), to, step);
    }

    /// <summary>A^T m A: 4x4 results, <see cref="ResultStep"/> floats apart.</summary>
    public static void Output<L, V>(float* m, nint step, float* temporary, float* y) where L : struct, ILanes<V> where V : struct
    {
        for (int j = 0; j < Inputs; j++, m += step, temporary += L.Count)
            OutputLine<L, V>(L.Load(m), L.Load(m + 6 * step), L.Load(m + 12 * step), L.Load(m + 18 * step), L.Load(m + 24 * step), L.Load(m + 30 * step),
                temporary, Inputs * L.Count);
        temporary -= Inputs * L.Count;
        for (int i = 0; i < Outputs; i++, temporary += Inputs * L.Count, y += Outputs * ResultStep)
            OutputLine<L, V>(L.Load(temporary), L.Load(temporary + L.Count), L.Load(temporary + 2 * L.Count), L.Load(temporary + 3 * L.Count),
                L.Load(temporary + 4 * L.Count), L.Load(temporary + 5 * L.Count), y, ResultStep);
    }

    /// <summary>A dy A^T of the 16 places that <paramref name="dy"/> points to.</summary>
    public static void OutputGradient<L, V>(float** dy, nint channel, float* temporary, float* to, nint step) where L : struct, ILanes<V> where V : struct
    {
        for (int j = 0; j < Outputs; j++, dy++, temporary += L.Count)
            OutputGradientLine<L, V>(L.Load(dy[0] + channel), L.Load(dy[4] + channel), L.Load(dy[8] + channel), L.Load(dy[12] + channel), temporary, Outputs * L.Count);
        temporary -= Outputs * L.Count;
        for (int i = 0; i < Inputs; i++, temporary += Outputs * L.Count, to += Inputs * step)
            OutputGradientLine<L, V>(L.Load(temporary), L.Load(temporary + L.Count), L.Load(temporary + 2 * L.Count), L.Load(temporary + 3 * L.Count), to, step);
    }

    /// <summary>G w G^T of nine taps that lie <paramref name="tap"/> floats apart (backwards when negative).</summary>
    public static void Filter<L, V>(float* w, nint tap, float* temporary, float* to, nint step) where L : struct, ILanes<V> where V : struct
    {
        for (int j = 0; j < 3; j++, w += tap, temporary += L.Count)
            FilterLine<L, V>(L.Load(w), L.Load(w + 3 * tap), L.Load(w + 6 * tap), temporary, 3 * L.Count);
        temporary -= 3 * L.Count;
        for (int i = 0; i < Inputs; i++, temporary += 3 * L.Count, to += Inputs * step)
            FilterLine<L, V>(L.Load(temporary), L.Load(temporary + L.Count), L.Load(temporary + 2 * L.Count), to, step);
    }

    /// <summary>G^T m G: nine taps, <paramref name="tap"/> floats apart.</summary>
    public static void FilterGradient<L, V>(float* m, nint step, float* temporary, float* dw, nint tap) where L : struct, ILanes<V> where V : struct
    {
        for (int j = 0; j < Inputs; j++, m += step, temporary += L.Count)
            FilterGradientLine<L, V>(L.Load(m), L.Load(m + 6 * step), L.Load(m + 12 * step), L.Load(m + 18 * step), L.Load(m + 24 * step), L.Load(m + 30 * step),
                temporary, Inputs * L.Count);
        temporary -= Inputs * L.Count;
        for (int i = 0; i < 3; i++, temporary += Inputs * L.Count, dw += 3 * tap)
            FilterGradientLine<L, V>(L.Load(temporary), L.Load(temporary + L.Count), L.Load(temporary + 2 * L.Count), L.Load(temporary + 3 * L.Count),
                L.Load(temporary + 4 * L.Count), L.Load(temporary + 5 * L.Count), dw, tap);
    }

    /// <summary>B^T.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void InputLine<L, V>(V x0, V x1, V x2, V x3, V x4, V x5, float* to, nint step) where L : struct, ILanes<V> where V : struct
    {
        V product = L.Create(P2 * Q2), sum = L.Create(-P2 - Q2), p2 = L.Create(-P2), q2 = L.Create(-Q2);
        V evenP = L.Fma(q2, x2, x4), oddP = L.Fma(q2, x1, x3), evenQ = L.Fma(p2, x2, x4), oddQ = L.Fma(p2, x1, x3);
        L.Store(L.Fma(product, x0, L.Fma(sum, x2, x4)), to);
        L.Store(L.Fma(L.Create(P), oddP, evenP), to + step);
        L.Store(L.Fma(L.Create(-P), oddP, evenP), to + 2 * step);
        L.Store(L.Fma(L.Create(Q), oddQ, evenQ), to + 3 * step);
        L.Store(L.Fma(L.Create(-Q), oddQ, evenQ), to + 4 * step);
        L.Store(L.Fma(product, x1, L.Fma(sum, x3, x5)), to + 5 * step);
    }

    /// <summary>A^T.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void OutputLine<L, V>(V m0, V m1, V m2, V m3, V m4, V m5, float* to, nint step) where L : struct, ILanes<V> where V : struct
    {
        V sumP = L.Add(m1, m2), differenceP = L.Subtract(m1, m2), sumQ = L.Add(m3, m4), differenceQ = L.Subtract(m3, m4);
        L.Store(L.Add(L.Add(m0, sumP), sumQ), to);
        L.Store(L.Fma(L.Create(Q), differenceQ, L.Multiply(L.Create(P), differenceP)), to + step);
        L.Store(L.Fma(L.Create(Q2), sumQ, L.Multiply(L.Create(P2), sumP)), to + 2 * step);
        L.Store(L.Fma(L.Create(Q3), differenceQ, L.Fma(L.Create(P3), differenceP, m5)), to + 3 * step);
    }

    /// <summary>A.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void OutputGradientLine<L, V>(V y0, V y1, V y2, V y3, float* to, nint step) where L : struct, ILanes<V> where V : struct
    {
        V p2 = L.Create(P2), q2 = L.Create(Q2);
        V evenP = L.Fma(p2, y2, y0), oddP = L.Fma(p2, y3, y1), evenQ = L.Fma(q2, y2, y0), oddQ = L.Fma(q2, y3, y1);
        L.Store(y0, to);
        L.Store(L.Fma(L.Create(P), oddP, evenP), to + step);
        L.Store(L.Fma(L.Create(-P), oddP, evenP), to + 2 * step);
        L.Store(L.Fma(L.Create(Q), oddQ, evenQ), to + 3 * step);
        L.Store(L.Fma(L.Create(-Q), oddQ, evenQ), to + 4 * step);
        L.Store(y3, to + 5 * step);
    }

    // G's rows are (1 0 0) / (p^2 q^2), (1 +-p p^2) / (2 p^2 (p^2 - q^2)), (1 +-q q^2) / (2 q^2 (q^2 - p^2)) and (0 0 1).
    private const float ScaleP = (float)(1 / (2.0 * P2 * (P2 - Q2))), ScaleQ = (float)(1 / (2.0 * Q2 * (Q2 - P2))), ScaleZero = (float)(1 / ((double)P2 * Q2));

    /// <summary>G.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void FilterLine<L, V>(V w0, V w1, V w2, float* to, nint step) where L : struct, ILanes<V> where V : struct
    {
        V scaleP = L.Create(ScaleP), scaleQ = L.Create(ScaleQ);
        V evenP = L.Fma(L.Create(P2), w2, w0), oddP = L.Multiply(L.Create(P), w1), evenQ = L.Fma(L.Create(Q2), w2, w0), oddQ = L.Multiply(L.Create(Q), w1);
        L.Store(L.Multiply(L.Create(ScaleZero), w0), to);
        L.Store(L.Multiply(scaleP, L.Add(evenP, oddP)), to + step);
        L.Store(L.Multiply(scaleP, L.Subtract(evenP, oddP)), to + 2 * step);
        L.Store(L.Multiply(scaleQ, L.Add(evenQ, oddQ)), to + 3 * step);
        L.Store(L.Multiply(scaleQ, L.Subtract(evenQ, oddQ)), to + 4 * step);
        L.Store(w2, to + 5 * step);
    }

    /// <summary>G^T.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void FilterGradientLine<L, V>(V m0, V m1, V m2, V m3, V m4, V m5, float* to, nint step) where L : struct, ILanes<V> where V : struct
    {
        V scaleP = L.Create(ScaleP), scaleQ = L.Create(ScaleQ);
        V sumP = L.Multiply(scaleP, L.Add(m1, m2)), sumQ = L.Multiply(scaleQ, L.Add(m3, m4));
        V differenceP = L.Multiply(scaleP, L.Subtract(m1, m2)), differenceQ = L.Multiply(scaleQ, L.Subtract(m3, m4));
        L.Store(L.Fma(L.Create(ScaleZero), m0, L.Add(sumP, sumQ)), to);
        L.Store(L.Fma(L.Create(Q), differenceQ, L.Multiply(L.Create(P), differenceP)), to + step);
        L.Store(L.Fma(L.Create(Q2), sumQ, L.Fma(L.Create(P2), sumP, m5)), to + 2 * step);
    }
}
