using Asni.Devices;

namespace Asni.Cpu.Convolution;

/// <summary>
/// Weight gradient by <see cref="WinogradTransforms"/>. A block of tiles of both sides is transformed; then each of the 36 points adds its product over them,
/// inputs by outputs, to a matrix of its own; in the end these are transformed to nine taps.
/// </summary>
internal sealed unsafe class WinogradGradient
{
    /// <summary>Tiles that are queued together.</summary>
    private const int Together = 8;

    /// <summary>Tiles of a product for which a strip of either side stays in the first cache.</summary>
    internal const int InFirstCache = 96;

    /// <summary>Floats between rows over their number of channels: rows a power of two apart would share few sets of a cache.</summary>
    private const int Odd = 16;

    private readonly WinogradTiles _tiles;
    private readonly Workers _workers;
    private readonly Scratch _scratch;
    private readonly Panel[] _panels;
    private readonly int[] _offsets;
    private readonly int _inputs, _outputs, _max, _strips;

    public WinogradGradient(in ConvolutionSpec spec, Workers workers, Scratch scratch)
    {
        (_workers, _scratch) = (workers, scratch);
        _tiles = new WinogradTiles(spec.Input, spec.Output, spec.Padding);
        (_inputs, _outputs) = (spec.Input.Channels, spec.Output.Channels);
        _panels = Panels.Cut(_outputs, 1, Simd.Width / 32, 1);
        _offsets = [.. Enumerable.Range(0, InFirstCache).Select(t => t * InputRow)];
        _max = Winograd.GradientBlock(Simd.Whole(_inputs), Simd.Whole(_outputs));
        _strips = _panels.Length * (_inputs / InnerTiles.MaximumRows + 1);
    }

    private int InputRow => Simd.Whole(_inputs) + Odd;
    private int OutputRow => Simd.Whole(_outputs) + Odd;

    /// <summary>Floats from a point's matrix to the next.</summary>
    private nint InputStep => (nint)_max * InputRow + Odd;
    private nint OutputStep => (nint)_max * OutputRow + Odd;
    private nint SumStep => Simd.Whole(_inputs * _outputs) + Odd;

    public void Run(float* x, float* dy, int batch, float* dw)
    {
        long tiles = (long)batch * _tiles.Count;
        float* sums = _scratch.Shared(WinogradTransforms.Points * (SumStep + InputStep + OutputStep));
        float* inputs = sums + WinogradTransforms.Points * SumStep, outputs = inputs + WinogradTransforms.Points * InputStep;
        for (long first = 0; first < tiles; first += _max)
        {
            int count = (int)Math.Min(_max, tiles - first);
            WorkQueue blocks = _workers.Queue(Groups(count));
            _workers.Vectorize(long.MaxValue, new Transform { Gradient = this, X = x, Dy = dy, First = first, Count = count, Blocks = blocks, Inputs = inputs, Outputs = outputs });
            WorkQueue points = _workers.Queue(WinogradTransforms.Points);
            _workers.Vectorize(long.MaxValue, new Product
            {
                Gradient = this,
                Inputs = inputs,
                Outputs = outputs,
                Count = count,
                Points = points,
                Add = first > 0,
                Sums = sums,
                X = x,
                Dy = dy,
                Next = first + count,
                End = Math.Min(first + count + _max, tiles)
            });
        }
        _workers.Vectorize(long.MaxValue, new TransformBack { Gradient = this, Sums = sums, Dw = dw });
    }

    private static int Groups(long tiles) => (int)((tiles + Together - 1) / Together);

    private struct Transform : IVectorBody
    {
        public WinogradGradient Gradient;
        public float* X, Dy, Inputs, Outputs;
        public long First;
        public int Count;
        public WorkQueue Blocks;

        public readonly void Execute<L, V>(int worker, int workers) where L : struct, ILanes<V> where V : struct
        {
            WinogradGradient g = Gradient;
            int zeroCount = Simd.Whole(Math.Max(g._inputs, g._outputs));
            float* temporary = g._scratch.Get(worker, WinogradTransforms.Temporary + zeroCount), zeros = temporary + WinogradTransforms.Temporary;
            new Span<float>(zeros, zeroCount).Clear();
            for (int block; (block = Blocks.Next(worker)) >= 0;)
                for (int t = block * Together; t < Math.Min(Count, (block + 1) * Together); t++) Take<L, V>(t, zeros, temporary);
        }

        private readonly void Take<L, V>(int t, float* zeros, float* temporary) where L : struct, ILanes<V> where V : struct
        {
            float* x = Inputs + (long)t * Gradient.InputRow, dy = Outputs + (long)t * Gradient.OutputRow;
            float** pointers = stackalloc float*[WinogradTransforms.Points];
            Gradient._tiles.Inputs(X, First + t, zeros, pointers);
            for (int c = 0; c < Gradient._inputs; c += L.Count) WinogradTransforms.Input<L, V>(pointers, c, temporary, x + c, Gradient.InputStep);
            Gradient._tiles.Outputs(Dy, First + t, zeros, pointers);
            for (int c = 0; c < Gradient._outputs; c += L.Count) WinogradTransforms.OutputGradient<L, V>(pointers, c, temporary, dy + c, Gradient.OutputStep);
        }
    }

    private struct Product : IVectorBody
    {
        public WinogradGradient Gradient;
        public float* Inputs, Outputs, Sums, X, Dy;
        public int Count;
        public WorkQueue Points;
        public bool Add;

        /// <summary>Tiles of the next block.</summary>
        public long Next, End;

        public readonly void Execute<L, V>(int worker, int workers) where L : struct, ILanes<V> where V : struct
        {
            WinogradGradient g = Gradient;
            (Prefetch xAhead, Prefetch dyAhead) = BlockAhead(worker, workers);
            int next;
            for (int point = Points.Next(worker); point >= 0; point = next)
            {
                next = Points.Next(worker);
                for (int t = 0; t < Count; t += InFirstCache)
                {
                    (int point, int t) after = t + InFirstCache < Count ? (point, t + InFirstCache) : (next, 0);
                    Multiply<L, V>(InputsOf(point, t), OutputsOf(point, t), Math.Min(InFirstCache, Count - t), Add || t > 0, Sums + point * g.SumStep,
                        Ahead(after.point, after.t, InputsOf(after.point, after.t), g.InputRow), Ahead(after.point, after.t, OutputsOf(after.point, after.t), g.OutputRow), ref xAhead, ref dyAhead);
                }
            }
        }

        /// <summary>What this worker is to transform next of both sides, while it goes through its share of the points.</summary>
        private readonly (Prefetch X, Prefetch Dy) BlockAhead(int worker, int workers)
        {
            (long first, long end) = Partition.Range(Groups(End - Next), worker, workers);
            (first, end) = (Next + first * Together, Math.Min(End, Next + end * Together));
            (long x, long inputs) = Gradient._tiles.InputRows(first, end);
            (long dy, long outputs) = Gradient._tiles.OutputRows(first, end);
            int pieces = (Count + InFirstCache - 1) / InFirstCache, steps = Gradient._strips * (WinogradTransforms.Points * pieces / workers + 1);
            return (new Prefetch(X + x, inputs, steps), new Prefetch(Dy + dy, outputs, steps));
        }

        private readonly float* InputsOf(int point, int t) => Inputs + point * Gradient.InputStep + (long)t * Gradient.InputRow;
        private readonly float* OutputsOf(int point, int t) => Outputs + point * Gradient.OutputStep + (long)t * Gradient.OutputRow;

        /// <summary>One side of the next product, if there is one: a strip of it takes little of each row.</summary>
        private readonly Prefetch Ahead(int point, int t, float* start, int row) =>
            point < 0 ? default : new Prefetch(start, (long)Math.Min(InFirstCache, Count - t) * row, Gradient._strips);

        private readonly void Multiply<L, V>(float* x, float* dy, int count, bool add, float* sum, Prefetch inputsAhead, Prefetch outputsAhead, ref Prefetch xAhead, ref Prefetch dyAhead)
            where L : struct, ILanes<V> where V : struct
        {
            int inputs = Gradient._inputs, outputs = Gradient._outputs;
            float* tile = stackalloc float[InnerTiles.MaximumRows * InnerTiles.Stride + 16];
            tile = (float*)(((nint)tile + 63) & ~63);
            fixed (int* offsets = Gradient._offsets)
                foreach (Panel panel in Gradient._panels)
                {
                    int tileRows = InnerTiles.Rows(panel.Vectors, L.Count == 16);
                    var epilogue = new Epilogue(panel.Columns, null, add);
                    for (int k = 0; k < inputs; k += tileRows)
                    {
                        inputsAhead.Step();
                        outputsAhead.Step();
                        xAhead.Step();
                        dyAhead.Step();
                        int rows = Math.Min(tileRows, inputs - k);
                        float* to = sum + (long)k * outputs + panel.Start;
                        if (add) Prefetch.Rows(to, rows, outputs, panel.Columns);
                        // The last tile may read past the inputs; those rows are not stored.
                        OuterTiles.Run<L, V>(panel.Vectors, x + k, offsets, dy + panel.Start, Gradient.OutputRow, count, tile);
                        for (int r = 0; r < rows; r++) epilogue.Store<L, V>(tile + r * InnerTiles.Stride, to + (long)r * outputs);
                    }
                }
        }
    }

    private struct TransformBack : IVectorBody
    {
        public WinogradGradient Gradient;
        public float* Sums, Dw;

        public readonly void Execute<L, V>(int worker, int workers) where L : struct, ILanes<V> where V : struct
        {
            long elements = (long)Gradient._inputs * Gradient._outputs;
            float* temporary = stackalloc float[WinogradTransforms.Temporary + 16];
            temporary = (float*)(((nint)temporary + 63) & ~63);
            (long i, long end) = Partition.Range(elements, worker, workers, L.Count);
            for (; i <= end - L.Count; i += L.Count) WinogradTransforms.FilterGradient<L, V>(Sums + i, Gradient.SumStep, temporary, Dw + i, (nint)elements);
            if (i == end) return;
            float* taps = stackalloc float[9 * 16];
            WinogradTransforms.FilterGradient<L, V>(Sums + i, Gradient.SumStep, temporary, taps, L.Count);
            for (int tap = 0; tap < 9; tap++) L.StoreFirst(L.Load(taps + tap * L.Count), Dw + tap * elements + i, (int)(end - i));
        }
    }
}
