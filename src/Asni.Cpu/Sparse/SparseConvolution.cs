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

    /// <summary>Gradients of so many weights are cheap to have in more parts, which can be queued better.</summary>
    private const int FewSums = 128 * 1024;

    private readonly ConvolutionSpec _spec;
    private readonly Workers _workers;
    private readonly Scratch _scratch;
    private readonly TapStorage _forwardTaps = new(), _backwardTaps = new(), _gradientTaps = new();
    private readonly bool _borrows;
    private Direction? _forward, _backward, _gradient;

    public SparseConvolution(in ConvolutionSpec spec, Workers workers, Scratch scratch) => (_spec, _workers, _scratch) = (spec, workers, scratch);

    /// <summary>For another caller.</summary>
    private SparseConvolution(SparseConvolution like, Workers workers, Scratch scratch) : this(like._spec, workers, scratch) =>
        (_forward, _borrows) = (like._forward, true);

    public override SparsePath ForAnotherCaller(Workers workers, Scratch scratch) => new SparseConvolution(this, workers, scratch);

    public override void SetMask(Mask? mask)
    {
        _forward = _backward = _gradient = null;
        if (mask is null) return;
        TapGeometry forward = TapGeometry.Forward(_spec), backward = TapGeometry.Backward(_spec);
        bool dense = mask.Live > LanesOfSamplesDensity * mask.Length;
        _forward = Plan(forward, dense, mask, TapList.Forward, _forwardTaps);
        if (!_spec.Training) return;
        _gradient = Plan(forward, false, mask, TapList.Forward, _gradientTaps, gradient: true);
        if (_spec.InputGradient) _backward = Plan(backward, dense, mask, TapList.Backward, _backwardTaps);
    }

    private Direction Plan(in TapGeometry geometry, bool dense, Mask mask, ListTaps list, TapStorage storage, bool gradient = false)
    {
        bool samples = (dense || geometry.ClassColumns <= NarrowColumns) && _spec.Batch >= Simd.Width / 32;
        var blocks = new Blocks(geometry, _spec.Batch, samples, _workers.Count, gradient);
        return new Direction(blocks, mask, _spec, list, storage, _workers.Count);
    }

    private delegate TapList ListTaps(Mask mask, in ConvolutionSpec spec, in Planes from, int blockChannels, TapStorage storage, Workers workers);

    /// <summary>How a pass would go; its taps are listed when it first does.</summary>
    private sealed class Direction(Blocks blocks, Mask mask, ConvolutionSpec spec, ListTaps list, TapStorage storage, int workers)
    {
        private readonly Lock _gate = new();
        private readonly long _live = mask.Live;
        private readonly int _blockChannels = blocks.ChannelBlock(mask.Live);
        private TapList? _taps;

        public Blocks Blocks => blocks;

        /// <summary>Cycles of a product's pass.</summary>
        public double Product(int batch)
        {
            (double tiles, double vectors) = blocks.Tiled(batch);
            double refresh = _live * SparseCost.Refresh(spec);
            if (blocks.From.Lanes > 1) return Pass(refresh + _live * vectors * (_blockChannels <= blocks.FirstCacheChannels ? SparseCost.Blocked : SparseCost.Product), batch);
            double lists = (double)TapList.Blocks(blocks.From, _blockChannels) * blocks.To.Channels * blocks.Geometry.Classes;
            return Pass(refresh + _live * vectors * SparseCost.UnalignedProduct + lists * tiles * SparseCost.Start, batch);
        }

        /// <summary>The same for a gradient.</summary>
        public double Gradient(int batch) =>
            Pass(_live * (blocks.Vectors(batch) * (blocks.From.Lanes == 1 ? SparseCost.UnalignedGradient : SparseCost.BlockedGradient) + blocks.Tasks(batch) * SparseCost.Dot), batch);

        private double Pass(double taps, int batch) =>
            (taps + SparseCost.Turning(batch * ((double)spec.Input.Elements + spec.Output.Elements))) * blocks.Idle(batch, workers);

        /// <param name="by">Those of the caller, who may share the list.</param>
        public TapList Taps(Workers by)
        {
            lock (_gate) return _taps ??= list(mask, spec, blocks.From, _blockChannels, storage, by);
        }
    }

    public override bool TakesForward(int batch) => _forward is { } d && Pays(d.Product(batch), SparseCost.Dense(_spec, batch));

    public override bool TakesBackwardWeights(int batch) =>
        _gradient is { } d && Pays(d.Gradient(batch), SparseCost.DenseGradient(_spec, batch, _workers.Count));

    public override bool TakesBackwardData(int batch) => _backward is { } d && Pays(d.Product(batch), SparseCost.DenseData(_spec, batch));

    private static bool Pays(double sparse, double dense) => Forced ?? sparse < dense;

    public override void Forward(float* x, WeightValues w, float* bias, int batch, float* y)
    {
        Multiply(_forward!, x, w, new Epilogue(_spec.Filter.Out, bias, false, Clamp.FromActivation(_spec.Activation)), batch, y);
    }

    public override void BackwardData(float* dy, WeightValues w, bool accumulate, int batch, float* dx)
    {
        Multiply(_backward!, dy, w, new Epilogue(_spec.Input.Channels, null, accumulate), batch, dx);
    }

    private void Multiply(Direction direction, float* from, WeightValues w, in Epilogue epilogue, int batch, float* to)
    {
        TapList taps = direction.Taps(_workers);
        taps.Refresh(w, _workers);
        Blocks blocks = direction.Blocks;
        int together = blocks.Together(batch, _workers.Count);
        _workers.Vectorize(long.MaxValue, new TapProduct
        {
            Blocks = blocks,
            Taps = taps,
            Scratch = _scratch,
            Epilogue = epilogue,
            Batch = batch,
            Together = together,
            Units = _workers.Queue(blocks.Tasks(batch) / together),
            From = from,
            To = to
        });
    }

    public override void BackwardWeights(float* x, float* dy, int batch, float* dw)
    {
        (TapList taps, Blocks blocks) = (_gradient!.Taps(_workers), _gradient.Blocks);
        int parts = (int)Math.Min(blocks.Tasks(batch), _workers.Count * (taps.Live <= FewSums ? 4 : 2));
        float* sums = _scratch.Shared((long)parts * taps.Live);
        _workers.Vectorize(long.MaxValue, new SampledGradient
        {
            Blocks = blocks,
            Taps = taps,
            Scratch = _scratch,
            Batch = batch,
            X = x,
            Dy = dy,
            Count = parts,
            Parts = _workers.Queue(parts),
            Sums = sums
        });
        var sum = new SumParts { Taps = taps, Sums = sums, Count = parts, Dw = dw };
        _workers.RunSized(taps.Live, ref sum);
    }

    public override void Dispose()
    {
        SetMask(null);
        if (_borrows) return;
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
        public int Batch, Together;
        public WorkQueue Units;
        public float* From, To;

        public readonly void Execute<L, V>(int worker, int workers) where L : struct, ILanes<V> where V : struct
        {
            Planes from = Blocks.From, to = Blocks.To;
            int step = Blocks.Geometry.TargetStep;
            float* x = Scratch.Get(worker, Blocks.Floats);
            float* y = x + Blocks.FromFloats, rows = y + Blocks.ToFloats, zeros = rows + 16 * to.Channels;
            new Span<float>(x, (int)Blocks.FromFloats).Clear();
            new Span<float>(zeros, from.Channels).Clear();
            long before = -1;
            for (int unit; (unit = Units.Next(worker)) >= 0;)
                for (long task = (long)unit * Together; task < (unit + 1L) * Together; before = task++)
                {
                    Block block = Blocks.At(task);
                    int known = before == task - 1 && block.Row > 0 ? PlaneTurn.Advance(from, Blocks.Rows, x) : 0;
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
            fixed (int* offsets = Taps.Offsets)
                for (int c = 0; c < step * step; c++)
                    TapKernels.Product<L, V>(taps, offsets + c * Taps.ChannelBlocks * lines, lines, Taps.ChannelBlocks, lines, x, from.Pitch, height, width, y + to.Offset(0, c / step, c % step), to.Pitch, to.ChannelPitch);
        }
    }

    /// <summary>Parts of the gradients of live weights, each over a share of the blocks.</summary>
    private struct SampledGradient : IVectorBody
    {
        public Blocks Blocks;
        public TapList Taps;
        public Scratch Scratch;
        public int Batch, Count;
        public float* X, Dy, Sums;
        public WorkQueue Parts;

        public readonly void Execute<L, V>(int worker, int workers) where L : struct, ILanes<V> where V : struct
        {
            Planes from = Blocks.From, to = Blocks.To;
            float* x = Scratch.Get(worker, Blocks.Floats);
            float* dy = x + Blocks.FromFloats, zeros = dy + Blocks.ToFloats;
            new Span<float>(x, (int)(Blocks.FromFloats + Blocks.ToFloats)).Clear();
            new Span<float>(zeros, Math.Max(from.Channels, to.Channels)).Clear();
            for (int part; (part = Parts.Next(worker)) >= 0;)
            {
                float* sums = Sums + (long)part * Taps.Live;
                new Span<float>(sums, Taps.Live).Clear();
                (long first, long last) = Partition.Range(Blocks.Tasks(Batch), part, Count);
                for (long task = first; task < last; task++) Add<L, V>(task, task > first, x, dy, zeros, sums);
            }
        }

        private readonly void Add<L, V>(long task, bool follows, float* x, float* dy, float* zeros, float* sums) where L : struct, ILanes<V> where V : struct
        {
            Planes from = Blocks.From, to = Blocks.To;
            ReadOnlySpan<int> offsets = Taps.Offsets;
            Block block = Blocks.At(task);
            int known = follows && block.Row > 0 ? PlaneTurn.Advance(from, Blocks.Rows, x) : 0;
            PlaneTurn.In(X, Batch, block.Sample, block.Row * Blocks.Geometry.SourceStep, from, known, zeros, x);
            PlaneTurn.In(Dy, Batch, block.Sample, block.Row, to, 0, zeros, dy);
            (int height, int width) = Blocks.Extent(block.Rows);
            for (int list = 0; list < Taps.ChannelBlocks * to.Channels; list++)
                TapKernels.AddDots<L, V>(Taps.Taps + offsets[list], offsets[list + 1] - offsets[list], x, from.Pitch, dy + to.Offset(list % to.Channels, 0, 0), to.Pitch,
                    height, width, sums + offsets[list]);
        }
    }

    /// <summary>dw(place) = the parts, in order.</summary>
    private struct SumParts : IParallelBody
    {
        public TapList Taps;
        public float* Sums, Dw;
        public int Count;

        public readonly void Execute(int worker, int workers)
        {
            (long first, long last) = Partition.Range(Taps.Live, worker, workers);
            ReadOnlySpan<int> indices = Taps.Indices;
            for (int k = (int)first; k < (int)last; k++)
            {
                float sum = 0;
                for (int part = 0; part < Count; part++) sum += Sums[(long)part * Taps.Live + k];
                Dw[indices[k]] = sum;
            }
        }
    }
}
