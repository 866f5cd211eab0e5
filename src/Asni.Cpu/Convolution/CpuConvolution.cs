using Asni.Cpu.Sparse;
using Asni.Devices;
using Asni.Networks;
using Asni.Tensors;

namespace Asni.Cpu.Convolution;

/// <summary>Convolution and linear layer of the CPU device: each pass by the cheaper one of its dense and its sparse path.</summary>
internal sealed unsafe class CpuConvolution : ConvolutionOperation
{
    private readonly DensePath _dense;
    private readonly OutputGradient? _output;
    private readonly SparsePath _sparse;
    private readonly bool _borrows;

    /// <param name="spec">What the dense path computes.</param>
    /// <param name="sparse">The same work for live weights.</param>
    /// <param name="like">The same operation of another caller; null: none.</param>
    private CpuConvolution(in ConvolutionSpec spec, SparsePath sparse, Workers workers, Scratch scratch, CpuConvolution? like = null) : base(spec)
    {
        _sparse = sparse;
        _borrows = like is not null;
        _dense = new DensePath(spec, workers, scratch, like?._dense);
        if (spec.Training) _output = new OutputGradient(spec.Filter.Out, workers);
    }

    /// <exception cref="AsniException">The shapes do not fit each other.</exception>
    public static ConvolutionOperation Create(in ConvolutionSpec spec, Workers workers, Scratch scratch)
    {
        if (spec.Groups < 1 || spec.Input.Channels != spec.Filter.In * spec.Groups || spec.Filter.Out % spec.Groups != 0)
            throw new AsniException($"a filter of {spec.Filter.Out}x{spec.Filter.In} channels in {spec.Groups} groups does not fit an input of {spec.Input.Channels} channels.");
        if (spec.Output.Height < 1 || spec.Output.Width < 1)
            throw new AsniException($"a {spec.Filter.Height}x{spec.Filter.Width} filter with padding {spec.Padding} does not fit a {spec.Input} input.");
        bool depthwise = spec.Groups > 1 && spec.Filter.In == 1 && spec.Filter.Out == spec.Groups;
        if (depthwise) return new DepthwiseConvolution(spec, workers);
        SparsePath sparse = SparseUnrolled.Suits(spec) ? new SparseUnrolled(spec, workers, scratch) : new SparseConvolution(spec, workers, scratch);
        ConvolutionSpec dense = SparseUnrolled.IsLinear(spec)
            ? spec with { Input = new Chw(spec.Filter.FanIn, 1, 1), Filter = new FilterShape(spec.Filter.Out, spec.Filter.FanIn, 1, 1), Stride = 1 }
            : spec;
        return new CpuConvolution(dense, sparse, workers, scratch);
    }

    /// <summary>For benchmarks, which ask it what it would take.</summary>
    internal SparsePath Sparse => _sparse;

    public override void SetMask(DeviceParameters parameters, int parameter)
    {
        if (_borrows) throw new InvalidOperationException("the mask of an operation for another caller was changed");
        _sparse.SetMask(parameters.GetMask(parameter));
    }

    public override ConvolutionOperation ForAnotherCaller(Device device)
    {
        var cpu = (CpuDevice)device;
        return new CpuConvolution(Spec, _sparse.ForAnotherCaller(cpu.Workers, cpu.Scratch), cpu.Workers, cpu.Scratch, this);
    }

    public override void Forward(DeviceTensor x, ParameterTensor w, ParameterTensor? b, DeviceTensor y)
    {
        _sparse.Forget();
        float* bias = b is { } given ? CpuBuffer.Floats(given) : null;
        if (_sparse.TakesForward(x.Batch)) _sparse.Forward(CpuBuffer.Floats(x), WeightValues.FromTensor(w), bias, x.Batch, CpuBuffer.Floats(y));
        else _dense.Forward(CpuBuffer.Floats(x), WeightValues.FromTensor(w), bias, x.Batch, CpuBuffer.Floats(y));
    }

    public override void BackwardOutput(DeviceTensor y, ParameterTensor? db, DeviceTensor dy)
    {
        _sparse.ForgetGradient();
        _output!.Run(CpuBuffer.Floats(y), Clamp.FromActivation(Spec.Activation), (long)dy.Batch * Spec.Output.Positions, CpuBuffer.Floats(dy), db is { } bias ? CpuBuffer.Floats(bias) : null);
    }

    public override void BackwardWeights(DeviceTensor x, DeviceTensor dy, ParameterTensor dw, bool dense = false)
    {
        if (!dense && _sparse.TakesBackwardWeights(x.Batch)) _sparse.BackwardWeights(CpuBuffer.Floats(x), CpuBuffer.Floats(dy), x.Batch, CpuBuffer.Floats(dw));
        else _dense.BackwardWeights(CpuBuffer.Floats(x), CpuBuffer.Floats(dy), x.Batch, CpuBuffer.Floats(dw));
    }

    public override void BackwardData(DeviceTensor dy, ParameterTensor w, bool accumulate, DeviceTensor dx)
    {
        if (_sparse.TakesBackwardData(dy.Batch)) _sparse.BackwardData(CpuBuffer.Floats(dy), WeightValues.FromTensor(w), accumulate, dy.Batch, CpuBuffer.Floats(dx));
        else _dense.BackwardData(CpuBuffer.Floats(dy), WeightValues.FromTensor(w), accumulate, dy.Batch, CpuBuffer.Floats(dx));
    }

    public override void Dispose()
    {
        _dense.Dispose();
        _output?.Dispose();
        _sparse.Dispose();
        base.Dispose();
    }
}
