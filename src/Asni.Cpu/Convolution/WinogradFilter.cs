namespace Asni.Cpu.Convolution;

/// <summary>The filter of a <see cref="WinogradProduct"/>, transformed: 36 matrices of inner by outer channels, each panel by panel.</summary>
/// <param name="panels">Of the outer channels, in whole vectors.</param>
/// <param name="transposed">For a data gradient: inner channels are the layer's outputs, and taps go backwards.</param>
internal sealed unsafe class WinogradFilter(int inner, int columns, Panel[] panels, bool transposed, Scratch scratch) : PreparedWeights
{
    /// <summary>Output channels that are transposed together for the data gradient.</summary>
    private const int Together = 8;

    private readonly int _row = Simd.Whole(columns);

    /// <summary>Floats between the filters of two points, not a power of two.</summary>
    public long Step => (long)inner * _row + 16;

    public override long Size => WinogradTransforms.Points * Step;

    public void Transform(float* weights, float* to, Workers workers) =>
        workers.Vectorize(long.MaxValue, new Body { Filter = this, W = weights, To = to, Rows = workers.Queue((inner + Together - 1) / Together) });

    private protected override void Prepare(float* weights, Workers workers) => Transform(weights, Pointer, workers);

    private void Rows<L, V>(int unit, int worker, float* w, float* to, float* temporary) where L : struct, ILanes<V> where V : struct
    {
        int first = unit * Together, count = Math.Min(Together, inner - first);
        if (!transposed)
        {
            for (int i = first; i < first + count; i++) Row<L, V>(w + (long)i * columns, (nint)inner * columns, i, to, temporary);
            return;
        }
        float* turned = scratch.Get(worker, 9L * Together * _row);
        for (int tap = 0; tap < 9; tap++)
            RegisterTranspose.Run(w + (long)tap * columns * inner + first, columns, count, inner, turned + (long)tap * Together * _row, _row);
        // A tap of the data gradient is the opposite one of the filter.
        for (int k = 0; k < count; k++) Row<L, V>(turned + (8L * Together + k) * _row, -Together * _row, first + k, to, temporary);
    }

    private void Row<L, V>(float* w, nint tap, int i, float* to, float* temporary) where L : struct, ILanes<V> where V : struct
    {
        foreach (Panel panel in panels)
            for (int n = 0; n < panel.Columns; n += L.Count)
                WinogradTransforms.Filter<L, V>(w + panel.Start + n, tap, temporary, to + (long)panel.Start * inner + i * panel.Columns + n, (nint)Step);
    }

    private struct Body : IVectorBody
    {
        public WinogradFilter Filter;
        public float* W, To;
        public WorkQueue Rows;

        public readonly void Execute<L, V>(int worker, int workers) where L : struct, ILanes<V> where V : struct
        {
            float* temporary = stackalloc float[WinogradTransforms.Temporary + 16];
            temporary = (float*)(((nint)temporary + 63) & ~63);
            for (int unit; (unit = Rows.Next(worker)) >= 0;) Filter.Rows<L, V>(unit, worker, W, To, temporary);
        }
    }
}
