using Asni.Cuda.Driver;
using Asni.Devices;
using Asni.Networks;

namespace Asni.Cuda.Launchers;

/// <summary>
/// Batch-norm in two passes each way, with a small launch for the channels between them. Behind a convolution that leaves statistics of its
/// tiles, a merge of those takes the place of the first pass.
/// </summary>
internal sealed class CudaBatchNorm : BatchNormOperation
{
    // Twice as many as a multiprocessor's registers hold of most kernels in bf16.
    private const int BlocksOfMultiprocessor = 6;

    public const int TotalThreads = 1024;
    private const int TotalColumns = 32, MaxGroups = 512, TilesOfGroup = 32;

    private readonly ConvolutionRuntime _runtime;
    private readonly CudaKernel _sums, _merge, _rows, _apply, _gradientSums, _gradientRows, _gradientApply;
    private readonly CudaBuffer _coefficients;
    private readonly CudaBuffer? _passes;
    private readonly int _columnBlocks, _mergeBlocks, _parts;
    private readonly ulong _partial;
    private CudaConvolution? _producer;
    private ulong _merged;

    /// <summary>The statistics of the last forward pass are the batch's, which hang on x.</summary>
    private bool _ofBatch;

    public CudaBatchNorm(ConvolutionRuntime runtime, in BatchNormSpec spec) : base(spec)
    {
        _runtime = runtime;
        int channels = spec.Shape.Channels, chunk = ConvolutionTile.ChunkElements(runtime.Precision);
        bool whole = channels % chunk == 0;
        string storage = runtime.StorageName, name = storage + (whole ? "" : "_any");
        _sums = runtime.Kernels.Get("batch_norm_sums_" + name);
        _merge = runtime.Kernels.Get("batch_norm_merge");
        _rows = runtime.Kernels.Get("batch_norm_rows_" + storage);
        _apply = runtime.Kernels.Get("batch_norm_apply_" + name);
        _gradientSums = runtime.Kernels.Get("batch_norm_gradient_sums_" + name);
        _gradientRows = runtime.Kernels.Get("batch_norm_gradient_rows");
        _gradientApply = runtime.Kernels.Get("batch_norm_gradient_apply_" + name);
        int width = whole ? chunk : 1;
        var blocks = new ChannelBlocks(channels, width);
        _columnBlocks = blocks.Count;
        _mergeBlocks = new ChannelBlocks(channels, 1).Count;
        long rows = (long)spec.Batch * spec.Shape.Positions;
        _parts = blocks.Shares(rows, runtime.Multiprocessors * BlocksOfMultiprocessor);
        _partial = runtime.Scratch(2L * _parts * channels * sizeof(float));
        // Kept from forward to backward: three rows; then four rows of coefficients.
        _coefficients = new CudaBuffer(runtime.Stream, 7L * channels * sizeof(float));
        if (spec.Training && spec.Activation != Activation.None) _passes = new CudaBuffer(runtime.Stream, rows * channels / width);
    }

    public override void Follow(ConvolutionOperation producer)
    {
        if (producer is not CudaConvolution convolution || !convolution.LeaveStatistics()) return;
        _producer = convolution;
        _merged = _runtime.Scratch(2L * MaxGroups * Spec.Shape.Channels * sizeof(double));
    }

    public override void ForwardTraining(DeviceTensor x, BatchNormParameters p, DeviceTensor? skip, DeviceTensor y)
    {
        _ofBatch = true;
        BatchNormArgs args = Forward(x, p, skip, y);
        args.Training = 1;
        if (_producer is { } producer) Merge(ref args, producer);
        else Launch(_sums, args);
        LaunchChannels(_rows, args);
        args.Parts = _parts;
        args.Passes = _passes?.Pointer ?? 0;
        Launch(_apply, args);
    }

    public override void ForwardInference(DeviceTensor x, BatchNormParameters p, DeviceTensor? skip, DeviceTensor y)
    {
        _ofBatch = false;
        BatchNormArgs args = Forward(x, p, skip, y);
        LaunchChannels(_rows, args);
        args.Passes = _passes?.Pointer ?? 0;
        Launch(_apply, args);
    }

    public override void Backward(DeviceTensor x, DeviceTensor y, DeviceTensor dy, ParameterTensor w, ParameterTensor dw, ParameterTensor db,
        bool accumulateSkip, DeviceTensor? dSkip, DeviceTensor dx)
    {
        ICudaAddresses at = _runtime.Addresses;
        BatchNormArgs args = Common(x);
        args.Passes = _passes?.Pointer ?? 0;
        args.Dy = at.Activations(dy);
        args.DSkip = dSkip is { } skip ? at.Activations(skip) : 0;
        args.Dx = at.Activations(dx);
        args.Weight = at.Parameter(w);
        args.DWeight = at.Parameter(dw);
        args.DBias = at.Parameter(db);
        args.AccumulateSkip = accumulateSkip ? 1 : 0;
        args.Training = _ofBatch ? 1 : 0;
        Launch(_gradientSums, args);
        LaunchChannels(_gradientRows, args);
        Launch(_gradientApply, args);
    }

    public override void Dispose()
    {
        _coefficients.Dispose();
        _passes?.Dispose();
        base.Dispose();
    }

    private void Merge(ref BatchNormArgs args, CudaConvolution producer)
    {
        args.Tiles = producer.Statistics;
        args.TileRows = producer.StatisticsRows;
        args.Merged = _merged;
        long tiles = ConvolutionShape.CeilDivide(args.Count, args.TileRows);
        args.Parts = Groups(tiles);
        _merge.Launch(_runtime.Stream, new Dim3(args.Parts, _mergeBlocks), ChannelBlocks.Threads, 0, in args);
    }

    private BatchNormArgs Forward(DeviceTensor x, BatchNormParameters p, DeviceTensor? skip, DeviceTensor y)
    {
        ICudaAddresses at = _runtime.Addresses;
        BatchNormArgs args = Common(x);
        args.Skip = skip is { } s ? at.Activations(s) : 0;
        args.Y = at.Activations(y);
        args.Weight = at.Parameter(p.Weight);
        args.Bias = at.Parameter(p.Bias);
        args.RunningMean = at.Parameter(p.RunningMean);
        args.RunningVariance = at.Parameter(p.RunningVariance);
        return args;
    }

    private BatchNormArgs Common(DeviceTensor x) => new()
    {
        X = _runtime.Addresses.Activations(x),
        Saved = _coefficients.Pointer,
        Rows = _coefficients.Pointer + 3UL * (ulong)Spec.Shape.Channels * sizeof(float),
        Partial = _partial,
        Count = (long)x.Batch * x.Shape.Positions,
        Channels = Spec.Shape.Channels,
        Parts = _parts,
        Activation = CudaActivation.Fused(Spec.Activation),
        Epsilon = Spec.Epsilon,
        Momentum = Spec.Momentum,
    };

    /// <summary>Blocks of batch_norm_merge along the tiles.</summary>
    internal static int Groups(long tiles) => (int)Math.Clamp(ConvolutionShape.CeilDivide(tiles, TilesOfGroup), 1, MaxGroups);

    /// <summary>Blocks of the kernels that have a channel's whole sum.</summary>
    internal static int TotalBlocks(int channels) => ConvolutionShape.CeilDivide(channels, TotalColumns);

    private void Launch(CudaKernel kernel, in BatchNormArgs args) =>
        kernel.Launch(_runtime.Stream, new Dim3(_parts, _columnBlocks), ChannelBlocks.Threads, 0, in args);

    private void LaunchChannels(CudaKernel kernel, in BatchNormArgs args) =>
        kernel.Launch(_runtime.Stream, TotalBlocks(Spec.Shape.Channels), TotalThreads, 0, in args);

    private struct BatchNormArgs
    {
        public ulong X, Skip, Y, Dy, DSkip, Dx, Weight, Bias, RunningMean, RunningVariance, DWeight, DBias, Saved, Rows, Partial, Tiles, Merged, Passes;
        public long Count;
        public int Channels, Parts, Activation, AccumulateSkip, Training, TileRows;
        public float Epsilon, Momentum;
    }
}
