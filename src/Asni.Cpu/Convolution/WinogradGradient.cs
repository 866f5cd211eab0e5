using Asni.Devices;

namespace Asni.Cpu.Convolution;

/// <summary>
/// Weight gradient by <see cref="WinogradTransforms"/>: each worker adds up 36 matrices of inputs by outputs over its tiles, which are then added in
/// the order of the workers and transformed to nine taps.
/// </summary>
internal sealed unsafe class WinogradGradient
{
    private readonly WinogradTiles _tiles;
    private readonly Workers _workers;
    private readonly Scratch _scratch;
    private readonly Panel[] _panels;
    private readonly int[] _offsets;
    private readonly int _inputs, _outputs;

    public WinogradGradient(in ConvolutionSpec spec, Workers workers, Scratch scratch)
    {
        (_workers, _scratch) = (workers, scratch);
        _tiles = new WinogradTiles(spec.Input, spec.Output, spec.Padding);
        (_inputs, _outputs) = (spec.Input.Channels, spec.Output.Channels);
        _panels = Panels.Cut(_outputs, 1, Simd.Width / 32, 1);
        _offsets = [.. Enumerable.Range(0, Winograd.GradientBlock).Select(t => t * _inputs)];
    }

    private nint InputStep => Winograd.GradientBlock * _inputs + 16;
    private nint OutputStep => Winograd.GradientBlock * _outputs + 16;
    private nint SumStep => _inputs * _outputs + 16;

    public void Run(float* x, float* dy, int batch, float* dw)
    {
        float** sums = stackalloc float*[_workers.Count];
        _workers.Vectorize(long.MaxValue, new Body { Gradient = this, X = x, Dy = dy, Tiles = (long)batch * _tiles.Count, Sums = sums });
        _workers.Vectorize(long.MaxValue, new Combine { Gradient = this, Sums = sums, Dw = dw });
    }

    private struct Body : IVectorBody
    {
        public WinogradGradient Gradient;
        public float* X, Dy;
        public long Tiles;
        public float** Sums;

        public readonly void Execute<L, V>(int worker, int workers) where L : struct, ILanes<V> where V : struct
        {
            WinogradGradient g = Gradient;
            long inputs = WinogradTransforms.Points * g.InputStep, outputs = WinogradTransforms.Points * g.OutputStep;
            long sums = WinogradTransforms.Points * g.SumStep, zeroCount = Math.Max(g._inputs, g._outputs);
            float* sum = g._scratch.Of(worker, sums + inputs + outputs + 2 * WinogradTransforms.Temporary + zeroCount);
            float* x = sum + sums, dy = x + inputs, temporary = dy + outputs, zeros = temporary + 2 * WinogradTransforms.Temporary;
            new Span<float>(zeros, (int)zeroCount).Clear();
            Sums[worker] = sum;
            (long first, long end) = Share.Of(Tiles, worker, workers);
            // Large filters and few tiles: a worker without any still takes part in the sum.
            if (first == end) new Span<float>(sum, checked((int)sums)).Clear();
            bool add = false;
            for (; first < end; first += Winograd.GradientBlock, add = true)
            {
                int count = (int)Math.Min(Winograd.GradientBlock, end - first);
                for (int t = 0; t < count; t++) Take<L, V>(first + t, zeros, temporary, x + t * g._inputs, dy + t * g._outputs);
                for (int point = 0; point < WinogradTransforms.Points; point++)
                    Multiply<L, V>(x + point * g.InputStep, dy + point * g.OutputStep, count, add, sum + point * g.SumStep);
            }
        }

        private readonly void Take<L, V>(long tile, float* zeros, float* temporary, float* x, float* dy) where L : struct, ILanes<V> where V : struct
        {
            float** places = stackalloc float*[WinogradTransforms.Points];
            Gradient._tiles.Inputs(X, tile, zeros, places);
            for (int c = 0; c < Gradient._inputs; c += L.Count) WinogradTransforms.Input<L, V>(places, c, temporary, x + c, Gradient.InputStep);
            Gradient._tiles.Outputs(Dy, tile, zeros, places);
            for (int c = 0; c < Gradient._outputs; c += L.Count) WinogradTransforms.OutputGradient<L, V>(places, c, temporary, dy + c, Gradient.OutputStep);
        }

        private readonly void Multiply<L, V>(float* x, float* dy, int count, bool add, float* sum) where L : struct, ILanes<V> where V : struct
        {
            int inputs = Gradient._inputs, outputs = Gradient._outputs;
            float* tile = stackalloc float[InnerTiles.MaximumRows * InnerTiles.Stride + 16];
            tile = (float*)(((nint)tile + 63) & ~63);
            fixed (int* offsets = Gradient._offsets)
                foreach (Panel panel in Gradient._panels)
                {
                    int tileRows = InnerTiles.Rows(panel.Vectors, L.Count == 16);
                    var epilogue = new Epilogue(panel.Columns, null, add, Activation.None);
                    for (int k = 0; k < inputs; k += tileRows)
                    {
                        // The last tile may read past the inputs; those rows are not stored.
                        OuterTiles.Run<L, V>(panel.Vectors, x + k, offsets, dy + panel.Start, outputs, count, tile);
                        for (int r = 0; r < Math.Min(tileRows, inputs - k); r++)
                            epilogue.Store<L, V>(tile + r * InnerTiles.Stride, sum + (long)(k + r) * outputs + panel.Start);
                    }
                }
        }
    }

    private struct Combine : IVectorBody
    {
        public WinogradGradient Gradient;
        public float** Sums;
        public float* Dw;

        public readonly void Execute<L, V>(int worker, int workers) where L : struct, ILanes<V> where V : struct
        {
            long elements = (long)Gradient._inputs * Gradient._outputs;
            nint step = Gradient.SumStep;
            float* temporary = stackalloc float[WinogradTransforms.Temporary + 16];
            temporary = (float*)(((nint)temporary + 63) & ~63);
            (long i, long end) = Share.Of(elements, worker, workers, L.Count);
            for (; i < end; i += L.Count)
            {
                for (int part = 1; part < Gradient._workers.Count; part++)
                    for (int point = 0; point < WinogradTransforms.Points; point++)
                    {
                        float* sum = Sums[0] + point * step + i;
                        L.Store(L.Add(L.Load(sum), L.Load(Sums[part] + point * step + i)), sum);
                    }
                WinogradTransforms.FilterGradient<L, V>(Sums[0] + i, step, temporary, Dw + i, (nint)elements);
            }
        }
    }
}
