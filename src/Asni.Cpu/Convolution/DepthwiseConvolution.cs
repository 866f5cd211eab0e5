using Asni.Devices;

namespace Asni.Cpu.Convolution;

/// <summary>
/// One filter a channel: no reduction over channels, so vectors run along them and every tap is a multiply-add of three rows. Bound by
/// memory; each worker takes rows of the batch.
/// </summary>
internal sealed unsafe class DepthwiseConvolution : ConvolutionOperation
{
    private readonly DepthwisePass _forward;
    private readonly DepthwisePass? _backward;
    private readonly DepthwiseGradient? _weights;
    private readonly OutputGradient? _output;

    public DepthwiseConvolution(in ConvolutionSpec spec, Workers workers) : base(spec)
    {
        _forward = new DepthwisePass(spec, backward: false, workers);
        if (!spec.Training) return;
        _backward = new DepthwisePass(spec, backward: true, workers);
        _weights = new DepthwiseGradient(spec, workers);
        _output = new OutputGradient(spec.Filter.Out, workers);
    }

    private long Macs(int batch) => batch * Spec.Macs;

    public override void Forward(DeviceTensor x, ParameterTensor w, ParameterTensor? b, DeviceTensor y) =>
        _forward.Run(CpuBuffer.Floats(x), CpuBuffer.Floats(w), b is { } bias ? CpuBuffer.Floats(bias) : null, false, Clamp.FromActivation(Spec.Activation), x.Batch, Macs(x.Batch), CpuBuffer.Floats(y));

    public override void BackwardOutput(DeviceTensor y, ParameterTensor? db, DeviceTensor dy) =>
        _output!.Run(CpuBuffer.Floats(y), Clamp.FromActivation(Spec.Activation), (long)dy.Batch * Spec.Output.Positions, CpuBuffer.Floats(dy), db is { } bias ? CpuBuffer.Floats(bias) : null);

    public override void BackwardWeights(DeviceTensor x, DeviceTensor dy, ParameterTensor dw, bool dense = false) =>
        _weights!.Run(CpuBuffer.Floats(x), CpuBuffer.Floats(dy), x.Batch, Macs(x.Batch), CpuBuffer.Floats(dw));

    public override void BackwardData(DeviceTensor dy, ParameterTensor w, bool accumulate, DeviceTensor dx) =>
        _backward!.Run(CpuBuffer.Floats(dy), CpuBuffer.Floats(w), null, accumulate, default, dy.Batch, Macs(dy.Batch), CpuBuffer.Floats(dx));

    public override void Dispose()
    {
        _forward.Dispose();
        _backward?.Dispose();
        _output?.Dispose();
        _weights?.Dispose();
        base.Dispose();
    }
}
