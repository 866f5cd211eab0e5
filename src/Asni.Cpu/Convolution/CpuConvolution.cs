using Asni.Cpu.Sparse;
using Asni.Devices;
using Asni.Networks;
using Asni.Tensors;

namespace Asni.Cpu.Convolution;

/// <summary>Dense convolution and linear layer of the CPU device, as implicit matrix products.</summary>
internal sealed unsafe class CpuConvolution : ConvolutionOperation
{
    private readonly ImplicitGemm _forward;
    private readonly ImplicitGemm? _backward;
    private readonly WeightGradient? _weights;
    private readonly OutputGradient? _output;
    private readonly SparseLinear? _sparse;

    /// <param name="flattened">For a linear layer the filter with the height and width of the input that it flattens.</param>
    private CpuConvolution(in ConvolutionSpec spec, FilterShape? flattened, Workers workers) : base(spec)
    {
        if (flattened is { } filter) _sparse = new SparseLinear(filter, spec.Batch, spec.Activation, workers);
        Windows windows = Windows.Forward(spec);
        _forward = new ImplicitGemm(spec, windows, spec.Filter.Out, transposed: false, workers);
        if (!spec.Training) return;
        _weights = new WeightGradient(spec, windows, workers);
        _output = new OutputGradient(spec.Filter.Out, workers);
        if (spec.InputGradient) _backward = new ImplicitGemm(spec, Windows.Backward(spec), spec.Input.Channels, transposed: true, workers);
    }

    /// <exception cref="AsniException">The shapes do not fit each other.</exception>
    public static ConvolutionOperation Create(in ConvolutionSpec spec, Workers workers)
    {
        if (spec.Groups < 1 || spec.Input.Channels != spec.Filter.In * spec.Groups || spec.Filter.Out % spec.Groups != 0)
            throw new AsniException($"a filter of {spec.Filter.Out}x{spec.Filter.In} channels in {spec.Groups} groups does not fit an input of {spec.Input.Channels} channels.");
        if (spec.Output.Height < 1 || spec.Output.Width < 1)
            throw new AsniException($"a {spec.Filter.Height}x{spec.Filter.Width} filter with padding {spec.Padding} does not fit a {spec.Input} input.");
        // A filter that covers its whole input once is a matrix: NHWC and HWIO flatten to the same order.
        if (spec.Groups == 1 && spec.Padding == 0 && spec.Filter.Height == spec.Input.Height && spec.Filter.Width == spec.Input.Width)
            return new CpuConvolution(spec with { Input = new Chw(spec.Filter.FanIn, 1, 1), Filter = new FilterShape(spec.Filter.Out, spec.Filter.FanIn, 1, 1), Stride = 1 },
                spec.Filter, workers);
        bool depthwise = spec.Groups > 1 && spec.Filter.In == 1 && spec.Filter.Out == spec.Groups;
        return depthwise ? new DepthwiseConvolution(spec, workers) : new CpuConvolution(spec, null, workers);
    }

    public override void SetMask(Mask? mask) => _sparse?.SetMask(mask);

    public override void Forward(DeviceTensor x, ParameterTensor w, ParameterTensor? b, DeviceTensor y)
    {
        float* bias = b is { } given ? CpuBuffer.Floats(given) : null;
        if (_sparse is { } sparse && sparse.TakesForward(x.Batch)) sparse.Forward(CpuBuffer.Floats(x), CpuBuffer.Floats(w), bias, x.Batch, CpuBuffer.Floats(y));
        else _forward.Run(CpuBuffer.Floats(x), CpuBuffer.Floats(w), bias, false, Spec.Activation, x.Batch, CpuBuffer.Floats(y));
    }

    public override void BackwardOutput(DeviceTensor y, ParameterTensor? db, DeviceTensor dy) =>
        _output!.Run(CpuBuffer.Floats(y), Spec.Activation, (long)dy.Batch * Spec.Output.Positions, CpuBuffer.Floats(dy), db is { } bias ? CpuBuffer.Floats(bias) : null);

    public override void BackwardWeights(DeviceTensor x, DeviceTensor dy, ParameterTensor dw)
    {
        if (_sparse is { } sparse && sparse.TakesBackwardWeights(x.Batch)) sparse.BackwardWeights(CpuBuffer.Floats(x), CpuBuffer.Floats(dy), x.Batch, CpuBuffer.Floats(dw));
        else _weights!.Run(CpuBuffer.Floats(x), CpuBuffer.Floats(dy), x.Batch, CpuBuffer.Floats(dw));
    }

    public override void BackwardData(DeviceTensor dy, ParameterTensor w, bool accumulate, DeviceTensor dx)
    {
        if (_sparse is { } sparse && sparse.TakesBackwardData(dy.Batch)) sparse.BackwardData(CpuBuffer.Floats(dy), CpuBuffer.Floats(w), accumulate, dy.Batch, CpuBuffer.Floats(dx));
        else _backward!.Run(CpuBuffer.Floats(dy), CpuBuffer.Floats(w), null, accumulate, Activation.None, dy.Batch, CpuBuffer.Floats(dx));
    }

    public override void Dispose()
    {
        _forward.Dispose();
        _backward?.Dispose();
        _weights?.Dispose();
        _output?.Dispose();
        _sparse?.Dispose();
        base.Dispose();
    }
}
