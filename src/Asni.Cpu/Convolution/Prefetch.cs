using System.Runtime.Intrinsics.X86;

namespace Asni.Cpu.Convolution;

/// <summary>
/// Brings a piece of memory to the second cache, a few lines at each step of the work before it: what comes from a last cache that is shared with others would
/// otherwise be waited for. Does nothing on processors other than x86.
/// </summary>
/// <param name="steps">In which all of it is fetched.</param>
internal unsafe struct Prefetch(float* start, long floats, int steps)
{
    private const int Line = Caches.Line / sizeof(float);

    private readonly float* _end = start + floats;
    private readonly long _step = (floats / steps / Line + 1) * Line;
    private float* _next = start;

    public void Step()
    {
        if (!Sse.IsSupported) return;
        float* stop = _end - _next > _step ? _next + _step : _end;
        for (; _next < stop; _next += Line) Sse.Prefetch1(_next);
    }

    /// <summary>A few lines, to the second cache.</summary>
    public static void Piece(float* first, long floats)
    {
        if (!Sse.IsSupported) return;
        for (float* end = first + floats; first < end; first += Line) Sse.Prefetch1(first);
    }

    /// <summary>Sums that a tile is about to be added to, to the first cache.</summary>
    public static void Rows(float* first, int rows, long stride, int columns)
    {
        if (!Sse.IsSupported) return;
        for (int r = 0; r < rows; r++)
            for (int n = 0; n < columns; n += Line) Sse.Prefetch0(first + r * stride + n);
    }
}
