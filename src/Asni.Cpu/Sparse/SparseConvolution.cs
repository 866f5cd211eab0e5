using Asni.Cpu.Convolution;
using Asni.Devices;
using Asni.Tensors;

namespace Asni.Cpu.Sparse;

/// <summary>
/// Direct sparse convolution. A block of a sample (or of as many samples as a vector has lanes) is turned into channel planes that stay in
/// a core's cache; there a live weight is one broadcast against vectors at an offset, and its gradient a product of two such vectors. The
/// idea of a filter tap as a pointer offset: J. Park et al., "Faster CNNs with Direct Sparse Convolutions and Guided Pruning" (2017).
/// </summary>
internal sealed unsafe class SparseConvolution : SparsePath
{
    /// <summary>Outputs up to this many columns take their lanes from samples: rows are too short to fill vectors.</summary>
    private const int NarrowColumns = 16;

    /// <summary>From this density on wider ones do too: aligned loads are worth the slower turn.</summary>
    private const double LanesOfSamplesDensity = 0.12;

    private readonly ConvolutionSpec _spec;
    private readonly Workers _workers;
    private readonly Scratch _scratch;
    private readonly TapStorage _forwardTaps = new(), _backwardTaps = new(), _gradientTaps = new();
    private Direction? _forward, _backward, _gradient;

    public SparseConvolution(in ConvolutionSpec spec, Workers workers, Scratch scratch) => (_spec, _workers, _scratch) = (spec, workers, scratch);

    public override void SetMask(Mask? mask)
    {
        _forward = _backward = _gradient = null;
        if (mask is null) return;
        TapGeometry forward = TapGeometry.Forward(_spec), backward = TapGeometry.Backward(_spec);
        bool dense = mask.Live > LanesOfSamplesDensity * mask.Length;
        _forward = Plan(forward, dense, mask, TapList.Forward, _forwardTaps);
        if (!_spec.Training) return;
        _gradient = dense && forward.ClassColumns > NarrowColumns ? Plan(forward, false, mask, TapList.Forward, _gradientTaps) : _forward;
        if (_spec.InputGradient) _backward = Plan(backward, dense, mask, TapList.Backward, _backwardTaps);
    }

    private Direction Plan(in TapGeometry geometry, bool dense, Mask mask, ListTaps list, TapStorage storage)
    {
        bool samples = (dense || geometry.ClassColumns <= NarrowColumns) && _spec.Batch >= Simd.Width / 32;
        var blocks = new Blocks(geometry, _spec.Batch, samples, _workers.Count);
        return new Direction(blocks, mask, _spec, list, storage, _workers);
    }

    private delegate TapList ListTaps(Mask mask, in ConvolutionSpec spec, in Planes from, int blockChannels, TapStorage storage, Workers workers);

    /// <summary>How a pass would go; its taps are listed when it first does.</summary>
    private sealed class Direction(Blocks blocks, Mask mask, ConvolutionSpec spec, ListTaps list, TapStorage storage, Workers workers)
    {
        private readonly int _blockChannels = blocks.ChannelBlock(mask.Live);
        private TapList? _taps;

        public Blocks Blocks => blocks;
        public long Live { get; } = mask.Live;
        public bool InFirstCache => _blockChannels <= blocks.FirstCacheChannels;
        public TapList Taps => _taps ??= list(mask, spec, blocks.From, _blockChannels, storage, workers);
    }

    public override bool TakesForward(int batch) => Pays(_forward, batch, 1, SparseCost.Dense(_spec, batch));

    public override bool TakesBackwardWeights(int batch) =>
        Pays(_gradient, batch, SparseCost.Gradient / SparseCost.Product, SparseCost.DenseGradient(_spec, batch, _workers.Count));

    public override bool TakesBackwardData(int batch) => Pays(_backward, batch, 1, SparseCost.DenseData(_spec, batch));

    private bool Pays(Direction? direction, int batch, double factor, double dense)
    {
        if (direction is null) return false;
        if (Forced is { } forced) return forced;
        bool samples = direction.Blocks.From.Lanes > 1;
        double perVector = factor * (!samples ? SparseCost.Unaligned : direction.InFirstCache ? SparseCost.Blocked : SparseCost.Product);
        double turn = batch * ((double)_spec.Input.Elements + _spec.Output.Elements) * SparseCost.Turn;
        return direction.Live * direction.Blocks.Vectors(batch) * perVector + turn < dense;
    }

    public override void Forward(float* x, float* w, float* bias, int batch, float* y)
    {
        _forward!.Taps.Refresh(w, _workers);
        _workers.Vectorize(long.MaxValue, new TapProduct
        {
            Blocks = _forward.Blocks,
            Taps = _forward.Taps,
            Scratch = _scratch,
            Epilogue = new Epilogue(_spec.Filter.Out, bias, false, _spec.Activation),
            Batch = batch,
            From = x,
            To = y
        });
    }

    public override void BackwardData(float* dy, float* w, bool accumulate, int batch, float* dx)
    {
        _backward!.Taps.Refresh(w, _workers);
        _workers.Vectorize(long.MaxValue, new TapProduct
        {
            Blocks = _backward.Blocks,
            Taps = _backward.Taps,
            Scratch = _scratch,
            Epilogue = new Epilogue(_spec.Input.Channels, null, accumulate, Activation.None),
            Batch = batch,
            From = dy,
            To = dx
        });
    }

    public override void BackwardWeights(float* x, float* dy, int batch, float* dw)
    {
        TapList taps = _gradient!.Taps;
        float** parts = stackalloc float*[_workers.Count];
        _workers.Vectorize(long.MaxValue, new SampledGradient { Blocks = _gradient.Blocks, Taps = taps, Scratch = _scratch, Batch = batch, X = x, Dy = dy, Parts = parts });
        var sum = new SumParts { Taps = taps, Parts = parts, Count = _workers.Count, Dw = dw };
        _workers.RunSized(taps.Live, ref sum);
    }

    public override void Dispose()
    {
        SetMask(null);
        _forwardTaps.Dispose();
        _backwardTaps.Dispose();
        _gradientTaps.Dispose();
    }

    /// <summary>Products of taps, block by block.</summary>
    private struct TapProduct : IVectorBody
    {
        public Blocks Blocks;
        public TapList Taps;
        public Scratch Scratch;
        public Epilogue Epilogue;
        public int Batch;
        public float* From, To;

        public readonly void Execute<L, V>(int worker, int workers) where L : struct, ILanes<V> where V : struct
        {
            Planes from = Blocks.From, to = Blocks.To;
            int step = Blocks.Geometry.TargetStep;
            float* x = Scratch.Of(worker, Blocks.Floats);
            float* y = x + Blocks.FromFloats, rows = y + Blocks.ToFloats, zeros = rows + 16 * to.Channels;
            new Span<float>(x, (int)Blocks.FromFloats).Clear();
            new Span<float>(zeros, from.Channels).Clear();
            (long first, long last) = Share.Of(Blocks.Tasks(Batch), worker, workers);
            for (long task = first; task < last; task++)
            {
                Block block = Blocks.At(task);
                int known = task > first && block.Row > 0 ? PlaneTurn.Advance(from, Blocks.Rows, x) : 0;
                PlaneTurn.In(From, Batch, block.Sample, block.Row * Blocks.Geometry.SourceStep, from, known, zeros, x);
                Multiply<L, V>(x, y, block.Rows);
                PlaneTurn.Out<L, V>(y, to, block.Row * step, block.Rows, Epilogue, rows, Batch, block.Sample, To);
            }
        }

        private readonly void Multiply<L, V>(float* x, float* y, int rows) where L : struct, ILanes<V> where V : struct
        {
            Planes from = Blocks.From, to = Blocks.To;
            int step = to.Step, lines = to.Channels;
            (int height, int width) = Blocks.Extent(rows);
            Tap* taps = Taps.Taps;
            fixed (int* starts = Taps.Starts)
                for (int c = 0; c < step * step; c++)
                    TapKernels.Product<L, V>(taps, starts + c * Taps.ChannelBlocks * lines, lines, Taps.ChannelBlocks, x, from.Pitch, height, width, y + to.Offset(0, c / step, c % step), to.Pitch, to.ChannelPitch);
        }
    }

    /// <summary>Each worker's part of the gradients of live weights.</summary>
    private struct SampledGradient : IVectorBody
    {
        public Blocks Blocks;
        public TapList Taps;
        public Scratch Scratch;
        public int Batch;
        public float* X, Dy;
        public float** Parts;

        public readonly void Execute<L, V>(int worker, int workers) where L : struct, ILanes<V> where V : struct
        {
            Planes from = Blocks.From, to = Blocks.To;
            float* x = Scratch.Of(worker, Blocks.Floats + Taps.Live);
            float* dy = x + Blocks.FromFloats, zeros = dy + Blocks.ToFloats, sums = x + Blocks.Floats;
            new Span<float>(x, (int)(Blocks.FromFloats + Blocks.ToFloats)).Clear();
            new Span<float>(zeros, Math.Max(from.Channels, to.Channels)).Clear();
            new Span<float>(sums, Taps.Live).Clear();
            Parts[worker] = sums;
            (long first, long last) = Share.Of(Blocks.Tasks(Batch), worker, workers);
            ReadOnlySpan<int> starts = Taps.Starts;
            for (long task = first; task < last; task++)
            {
                Block block = Blocks.At(task);
                int known = task > first && block.Row > 0 ? PlaneTurn.Advance(from, Blocks.Rows, x) : 0;
                PlaneTurn.In(X, Batch, block.Sample, block.Row * Blocks.Geometry.SourceStep, from, known, zeros, x);
                PlaneTurn.In(Dy, Batch, block.Sample, block.Row, to, 0, zeros, dy);
                (int height, int width) = Blocks.Extent(block.Rows);
                for (int list = 0; list < Taps.ChannelBlocks * to.Channels; list++)
                    TapKernels.SampledDots<L, V>(Taps.Taps + starts[list], starts[list + 1] - starts[list], x, from.Pitch, dy + to.Offset(list % to.Channels, 0, 0), to.Pitch,
                        height, width, sums + starts[list]);
            }
        }
    }

    /// <summary>dw(place) = the workers' parts, in order.</summary>
    private struct SumParts : IParallelBody
    {
        public TapList Taps;
        public float** Parts;
        public int Count;
        public float* Dw;

        public readonly void Execute(int worker, int workers)
        {
            (long first, long last) = Share.Of(Taps.Live, worker, workers);
            ReadOnlySpan<int> places = Taps.Places;
            for (int k = (int)first; k < (int)last; k++)
            {
                float sum = 0;
                for (int part = 0; part < Count; part++) sum += Parts[part][k];
                Dw[places[k]] = sum;
            }
        }
    }
}
