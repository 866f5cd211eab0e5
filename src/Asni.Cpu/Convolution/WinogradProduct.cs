using Asni.Cpu.Sparse;
using Asni.Devices;
using Asni.Tensors;

namespace Asni.Cpu.Convolution;

/// <summary>
/// Forward convolution or data gradient by <see cref="WinogradTransforms"/>: the filter is transformed once a call, or as often as it changes; each worker takes blocks of
/// tiles, transforms what they read, runs 36 matrix products over a block, and transforms the results back. A block stays in the second
/// cache, so that activations pass through memory once.
/// </summary>
internal sealed unsafe class WinogradProduct : IDisposable
{
    private readonly WinogradTiles _tiles;
    private readonly WinogradFilter _filter;
    private readonly bool _keepsFilter, _ownsFilter;
    private readonly Workers _workers;
    private readonly Scratch _scratch;
    private readonly Panel[] _panels;
    // Rows of the transformed sides are whole vectors; nothing uses what stands behind their channels.
    private readonly int _inner, _columns, _innerRow, _columnRow, _block;

    /// <param name="transposed">Data gradient: from dy to dx, by the filter turned about.</param>
    /// <param name="like">The same forward product of another caller, who lends the filter; null: none. That of a data gradient uses its owner's scratch, and is not lent.</param>
    public WinogradProduct(in ConvolutionSpec spec, bool transposed, Workers workers, Scratch scratch, WinogradProduct? like = null)
    {
        (_workers, _scratch) = (workers, scratch);
        (Chw from, Chw to) = transposed ? (spec.Output, spec.Input) : (spec.Input, spec.Output);
        _tiles = new WinogradTiles(from, to, transposed ? 2 - spec.Padding : spec.Padding);
        (_inner, _columns) = (from.Channels, to.Channels);
        (_innerRow, _columnRow) = (Simd.Whole(_inner), Simd.Whole(_columns));
        _panels = Panels.Cut(_columnRow, 1, Simd.Width / 32, 1);
        _block = Winograd.Block(_innerRow, _columnRow);
        _keepsFilter = Winograd.KeepsFilter(spec);
        _ownsFilter = like is null;
        _filter = like?._filter ?? new WinogradFilter(_inner, _columns, _panels, transposed, scratch);
    }

    /// <summary>
    /// Floats from a point's block to the next. Of both sides: the results of a point take the place of what the point before it was computed from, so that a block needs
    /// little more memory than its larger side.
    /// </summary>
    private nint PointStep => (nint)_block * Math.Max(_innerRow, _columnRow) + 16;

    public void Run(float* x, WeightValues w, float* bias, bool accumulate, Clamp clamp, int batch, float* y)
    {
        float* filter = Filter(w);
        long tiles = (long)batch * _tiles.Count;
        int block = (int)Math.Min(_block, (tiles + _workers.Count - 1) / _workers.Count);
        _workers.Vectorize(long.MaxValue, new Body
        {
            Product = this,
            X = x,
            Filter = filter,
            Y = y,
            Tiles = tiles,
            Block = block,
            Blocks = _workers.Queue((tiles + block - 1) / block),
            Bias = bias,
            Accumulate = accumulate,
            Clamp = clamp,
            NonTemporal = _columns % WinogradTransforms.ResultStep == 0 && Caches.Outgrown(y, (long)batch * _tiles.OutputElements)
        });
    }

    public void Dispose()
    {
        if (_ownsFilter) _filter.Dispose();
    }

    private float* Filter(WeightValues w)
    {
        if (_keepsFilter)
        {
            _filter.Take(w, _workers);
            return _filter.Pointer;
        }
        float* to = _scratch.Shared(_filter.Size);
        _filter.Transform(w.Weights, to, _workers);
        return to;
    }

    private struct Body : IVectorBody
    {
        public WinogradProduct Product;
        public float* X, Filter, Bias, Y;
        public long Tiles;
        public int Block;
        public WorkQueue Blocks;
        public bool Accumulate, NonTemporal;
        public Clamp Clamp;

        public readonly void Execute<L, V>(int worker, int workers) where L : struct, ILanes<V> where V : struct
        {
            nint step = Product.PointStep;
            long size = (WinogradTransforms.Points + 1) * step;
            float* to = Product._scratch.Get(worker, size + 2 * WinogradTransforms.Temporary + Product._innerRow);
            float* from = to + step, temporary = to + size, zeros = temporary + 2 * WinogradTransforms.Temporary;
            new Span<float>(zeros, Product._innerRow).Clear();
            for (int unit; (unit = Blocks.Next(worker)) >= 0;)
            {
                long first = (long)unit * Block;
                int count = (int)Math.Min(Block, Tiles - first);
                for (int t = 0; t < count; t++) Take<L, V>(first + t, zeros, temporary, from + t * Product._innerRow, step);
                (Prefetch xAhead, Prefetch yAhead) = Ahead(unit, Blocks.Ahead(worker), L.Count == 16);
                for (int point = 0; point < WinogradTransforms.Points; point++)
                    Multiply<L, V>(from + point * step, Filter + point * Product._filter.Step, count, to + point * step, ref xAhead, ref yAhead);
                for (int t = 0; t < count; t++) Give<L, V>(first + t, to + t * Product._columnRow, step, temporary);
            }
        }

        /// <summary>What the next block reads, if there is one, and what this one will write, in as many steps as a block has register tiles.</summary>
        private readonly (Prefetch X, Prefetch Y) Ahead(int unit, int next, bool wide)
        {
            int steps = 0;
            foreach (Panel panel in Product._panels)
            {
                int rows = InnerTiles.Rows(panel.Vectors, wide);
                steps += WinogradTransforms.Points * ((Block + rows - 1) / rows);
            }
            (long x, long inputs) = next < 0 ? default : Product._tiles.InputRows((long)next * Block, Math.Min(Tiles, (next + 1L) * Block));
            (long y, long outputs) = NonTemporal ? default : Product._tiles.OutputRows((long)unit * Block, Math.Min(Tiles, (unit + 1L) * Block));
            return (new Prefetch(X + x, inputs, steps), new Prefetch(Y + y, outputs, steps));
        }

        private readonly void Take<L, V>(long tile, float* zeros, float* temporary, float* to, nint step) where L : struct, ILanes<V> where V : struct
        {
            float** pointers = stackalloc float*[WinogradTransforms.Points];
            Product._tiles.Inputs(X, tile, zeros, pointers);
            for (int c = 0; c < Product._inner; c += L.Count) WinogradTransforms.Input<L, V>(pointers, c, temporary, to + c, step);
        }

        /// <summary>Rows of a register tile past the block's last repeat it; the block has room for their results.</summary>
        private readonly void Multiply<L, V>(float* from, float* filter, int count, float* to, ref Prefetch xAhead, ref Prefetch yAhead)
            where L : struct, ILanes<V> where V : struct
        {
            int inner = Product._inner, innerRow = Product._innerRow, columnRow = Product._columnRow;
            float** rows = stackalloc float*[InnerTiles.MaximumRows], outs = stackalloc float*[InnerTiles.MaximumRows];
            float* zeros = stackalloc float[InnerTiles.Stride];
            new Span<float>(zeros, InnerTiles.Stride).Clear();
            var segment = new InnerRun(0, inner, 0);
            foreach (Panel panel in Product._panels)
            {
                int tileRows = InnerTiles.Rows(panel.Vectors, L.Count == 16);
                for (int t = 0; t < count; t += tileRows)
                {
                    xAhead.Step();
                    yAhead.Step();
                    for (int r = 0; r < tileRows; r++)
                    {
                        rows[r] = from + Math.Min(t + r, count - 1) * innerRow;
                        outs[r] = to + (t + r) * columnRow + panel.Start;
                    }
                    InnerTiles.Run<L, V>(panel.Vectors, Math.Min(tileRows, count - t), rows, &segment, &segment + 1, filter + (long)panel.Start * inner, panel.Columns, new TileEnds(zeros), outs, 0);
                }
            }
        }

        private readonly void Give<L, V>(long tile, float* from, nint step, float* temporary) where L : struct, ILanes<V> where V : struct
        {
            const int outputs = WinogradTransforms.Outputs * WinogradTransforms.Outputs;
            float** pointers = stackalloc float*[outputs];
            float* results = temporary + WinogradTransforms.Temporary;
            Product._tiles.Outputs(Y, tile, null, pointers);
            for (int c = 0; c < Product._columns; c += WinogradTransforms.ResultStep)
            {
                int channels = Math.Min(WinogradTransforms.ResultStep, Product._columns - c);
                for (int i = 0; i < channels; i += L.Count) WinogradTransforms.Output<L, V>(from + c + i, step, temporary, results + i);
                var epilogue = new Epilogue(channels, Bias == null ? null : Bias + c, Accumulate, Clamp, NonTemporal);
                for (int p = 0; p < outputs; p++)
                    if (pointers[p] != null) epilogue.Store<L, V>(results + p * WinogradTransforms.ResultStep, pointers[p] + c);
            }
        }
    }
}
