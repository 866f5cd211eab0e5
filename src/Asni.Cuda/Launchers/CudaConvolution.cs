using Asni.Cuda.Driver;
using Asni.Devices;
using Asni.Networks;
using Asni.Tensors;

namespace Asni.Cuda.Launchers;

/// <summary>A convolution or linear layer as implicit matrix products.</summary>
internal sealed class CudaConvolution : ConvolutionOperation
{
    private readonly ConvolutionRuntime _runtime;
    private readonly ConvolutionShape _shape;
    private readonly ConvolutionProduct _forward;
    private readonly ConvolutionProduct? _dataGradient, _weightGradient;
    private readonly CudaOutputGradient? _outputGradient;
    private readonly LiveBlocks? _live;
    private CudaBuffer? _statistics;

    public CudaConvolution(ConvolutionRuntime runtime, in ConvolutionSpec spec, in ConvolutionShape shape) : base(spec)
    {
        _runtime = runtime;
        _shape = shape;
        if (spec.Groups == 1) _live = new LiveBlocks(runtime, spec.Filter.Out, spec.Filter.FanIn);
        _forward = Product(ConvolutionPass.Forward);
        if (!spec.Training) return;
        _outputGradient = new CudaOutputGradient(runtime, shape.OutChannels, shape.OutputRows(spec.Batch), spec.Activation);
        _weightGradient = Product(ConvolutionPass.WeightGradient);
        if (spec.InputGradient) _dataGradient = Product(ConvolutionPass.DataGradient);
    }

    public override void SetMask(DeviceParameters parameters, int parameter) => _live?.Set(_runtime.Addresses.Mask(parameters, parameter));

    public override void Forward(DeviceTensor x, ParameterTensor w, ParameterTensor? b, DeviceTensor y)
    {
        ICudaAddresses at = _runtime.Addresses;
        _forward.Run(new ConvolutionCall(at.Activations(x), at.Weights(w), x.Batch, at.Activations(y))
        {
            Bias = b is { } bias ? at.Parameter(bias) : 0,
            Activation = Spec.Activation,
            Live = _live,
            Statistics = Statistics,
        });
    }

    /// <summary>Where forward passes leave, of each tile of rows, each channel's sum and squared deviations from its mean; 0: nowhere.</summary>
    public ulong Statistics => _statistics?.Pointer ?? 0;

    /// <summary>Rows, of all images' positions, that a tile has.</summary>
    public int StatisticsRows => _forward.StatisticsRows;

    /// <summary>From now on forward passes leave statistics; false when they cannot.</summary>
    public bool LeaveStatistics()
    {
        if (StatisticsRows == 0 || !_runtime.FusesStatistics) return false;
        long tiles = ConvolutionShape.CeilDivide(_shape.OutputRows(Spec.Batch), StatisticsRows);
        _statistics ??= new CudaBuffer(_runtime.Stream, 2 * tiles * _shape.OutChannels * sizeof(float));
        return true;
    }

    public override void BackwardOutput(DeviceTensor y, ParameterTensor? db, DeviceTensor dy)
    {
        ICudaAddresses at = _runtime.Addresses;
        _outputGradient!.Run(at.Activations(y), _shape.OutputRows(dy.Batch), at.Activations(dy), db is { } bias ? at.Parameter(bias) : 0);
    }

    public override void BackwardWeights(DeviceTensor x, DeviceTensor dy, ParameterTensor dw, bool dense = false)
    {
        ICudaAddresses at = _runtime.Addresses;
        _weightGradient!.Run(new ConvolutionCall(at.Activations(dy), at.Activations(x), x.Batch, at.Parameter(dw)) { Live = dense ? null : _live });
    }

    public override void BackwardData(DeviceTensor dy, ParameterTensor w, bool accumulate, DeviceTensor dx)
    {
        ICudaAddresses at = _runtime.Addresses;
        _dataGradient!.Run(new ConvolutionCall(at.Activations(dy), at.Weights(w), dy.Batch, at.Activations(dx)) { Accumulate = accumulate, Live = _live });
    }

    public override void Dispose()
    {
        _live?.Dispose();
        _statistics?.Dispose();
        _forward.Dispose();
        _dataGradient?.Dispose();
        _weightGradient?.Dispose();
        base.Dispose();
    }

    private ConvolutionProduct Product(ConvolutionPass pass)
    {
        bool plain = pass != ConvolutionPass.Forward || (!Spec.Bias && Spec.Activation == Activation.None);
        // In training a convolution with neither bias nor activation has a batch-norm behind it.
        bool statistics = plain && pass == ConvolutionPass.Forward && Spec.Training && _runtime.FusesStatistics;
        return _runtime.Tuner.Choose(_shape, pass, Spec.Batch, plain, statistics).Create(_runtime, _shape, pass, Spec.Batch);
    }
}

/// <summary>A depthwise convolution: each channel has a filter of its own.</summary>
internal sealed class CudaDepthwiseConvolution : ConvolutionOperation
{
    private const int Threads = ChannelBlocks.Threads;

    private readonly ConvolutionRuntime _runtime;
    private readonly ConvolutionShape _shape;
    private readonly CudaKernel _forward;
    private readonly CudaKernel? _dataGradient, _weightGradient;
    private readonly CudaOutputGradient? _outputGradient;
    private readonly SplitSum? _sum;
    private readonly int _width, _columnBlocks, _shares;
    private readonly ulong _partial;

    public CudaDepthwiseConvolution(ConvolutionRuntime runtime, in ConvolutionSpec spec, in ConvolutionShape shape) : base(spec)
    {
        _runtime = runtime;
        _shape = shape;
        int chunk = ConvolutionTile.ChunkElements(runtime.Precision);
        bool whole = shape.Channels % chunk == 0;
        _width = whole ? chunk : 1;
        string suffix = runtime.StorageName + (whole ? "" : "_any");
        _forward = runtime.Kernels.Get($"depthwise_forward_{suffix}");
        if (!spec.Training) return;
        _outputGradient = new CudaOutputGradient(runtime, shape.OutChannels, shape.OutputRows(spec.Batch), spec.Activation);
        if (spec.InputGradient) _dataGradient = runtime.Kernels.Get($"depthwise_data_gradient_{suffix}");
        _weightGradient = runtime.Kernels.Get($"depthwise_weight_gradient_{suffix}");
        _sum = new SplitSum(runtime, "fp32");
        var blocks = new ChannelBlocks(shape.Channels, _width);
        _columnBlocks = blocks.Count;
        _shares = blocks.Shares(shape.OutputRows(spec.Batch), runtime.Multiprocessors * 4 / shape.FanIn);
        _partial = runtime.Scratch(_shares * SplitSum.Pitch(shape.FilterElements) * sizeof(float));
    }

    public override void Forward(DeviceTensor x, ParameterTensor w, ParameterTensor? b, DeviceTensor y)
    {
        ICudaAddresses at = _runtime.Addresses;
        ConvolutionArgs args = _shape.Args(x.Batch);
        args.A = at.Activations(x);
        args.B = at.Weights(w);
        args.Y = at.Activations(y);
        args.Bias = b is { } bias ? at.Parameter(bias) : 0;
        args.Activation = CudaActivation.Fused(Spec.Activation);
        LaunchElements(_forward, args, _shape.OutputElements(x.Batch));
    }

    public override void BackwardOutput(DeviceTensor y, ParameterTensor? db, DeviceTensor dy)
    {
        ICudaAddresses at = _runtime.Addresses;
        _outputGradient!.Run(at.Activations(y), _shape.OutputRows(dy.Batch), at.Activations(dy), db is { } bias ? at.Parameter(bias) : 0);
    }

    public override void BackwardWeights(DeviceTensor x, DeviceTensor dy, ParameterTensor dw, bool dense = false)
    {
        ICudaAddresses at = _runtime.Addresses;
        ConvolutionArgs args = _shape.Args(x.Batch);
        args.A = at.Activations(dy);
        args.B = at.Activations(x);
        args.Partial = _partial;
        args.SplitElements = SplitSum.Pitch(_shape.FilterElements);
        _weightGradient!.Launch(_runtime.Stream, new Dim3(_shares, _columnBlocks, _shape.FanIn), Threads, 0, in args);
        _sum!.Run(_partial, args.SplitElements, _shares, 0, 1, Activation.None, false, _shape.FilterElements, at.Parameter(dw));
    }

    public override void BackwardData(DeviceTensor dy, ParameterTensor w, bool accumulate, DeviceTensor dx)
    {
        ICudaAddresses at = _runtime.Addresses;
        ConvolutionArgs args = _shape.Args(dy.Batch);
        args.A = at.Activations(dy);
        args.B = at.Weights(w);
        args.Y = at.Activations(dx);
        args.Accumulate = accumulate ? 1 : 0;
        LaunchElements(_dataGradient!, args, _shape.InputElements(dy.Batch));
    }

    private void LaunchElements(CudaKernel kernel, in ConvolutionArgs args, long elements) =>
        kernel.Launch(_runtime.Stream, CudaDevice.Blocks(elements / _width, _runtime.Multiprocessors), Threads, 0, in args);
}
