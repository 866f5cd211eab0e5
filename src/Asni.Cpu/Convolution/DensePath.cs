using Asni.Cpu.Sparse;
using Asni.Devices;

namespace Asni.Cpu.Convolution;

/// <summary>The passes of a layer with all its weights: as implicit matrix products or, where that is cheaper, by Winograd's minimal filtering.</summary>
internal sealed unsafe class DensePath : IDisposable
{
    private readonly Clamp _clamp;
    private readonly ImplicitGemm _forward;
    private readonly ImplicitGemm? _backward;
    private readonly WeightGradient? _weights;
    private readonly WinogradProduct? _winogradForward, _winogradBackward;
    private readonly WinogradGradient? _winogradWeights;
    private readonly bool _winogradPays, _winogradGradientPays;

    /// <param name="like">That of the same layer of another caller, who lends what it made of the weights; null: none.</param>
    public DensePath(in ConvolutionSpec spec, Workers workers, Scratch scratch, DensePath? like = null)
    {
        _clamp = Clamp.FromActivation(spec.Activation);
        Windows windows = Windows.Forward(spec);
        _forward = new ImplicitGemm(spec, windows, spec.Filter.Out, transposed: false, workers, like?._forward);
        bool backward = spec.Training && spec.InputGradient;
        if (spec.Training) _weights = new WeightGradient(spec, windows, workers);
        if (backward) _backward = new ImplicitGemm(spec, Windows.Backward(spec), spec.Input.Channels, transposed: true, workers);
        if (!Winograd.Suits(spec)) return;
        double direct = SparseCost.Direct(spec, spec.Batch);
        _winogradPays = SparseCost.Dense(spec, spec.Batch) < direct;
        _winogradGradientPays = SparseCost.DenseGradient(spec, spec.Batch, workers.Count) < direct;
        _winogradForward = new WinogradProduct(spec, transposed: false, workers, scratch, like?._winogradForward);
        if (spec.Training) _winogradWeights = new WinogradGradient(spec, workers, scratch);
        if (backward) _winogradBackward = new WinogradProduct(spec, transposed: true, workers, scratch);
    }

    public void Forward(float* x, WeightValues w, float* bias, int batch, float* y)
    {
        if (_winogradForward is not null && (Winograd.Forced ?? _winogradPays)) _winogradForward.Run(x, w, bias, false, _clamp, batch, y);
        else _forward.Run(x, w, bias, false, _clamp, batch, y);
    }

    public void BackwardData(float* dy, WeightValues w, bool accumulate, int batch, float* dx)
    {
        if (_winogradBackward is not null && (Winograd.Forced ?? _winogradPays)) _winogradBackward.Run(dy, w, null, accumulate, default, batch, dx);
        else _backward!.Run(dy, w, null, accumulate, default, batch, dx);
    }

    public void BackwardWeights(float* x, float* dy, int batch, float* dw)
    {
        if (_winogradWeights is not null && (Winograd.Forced ?? _winogradGradientPays)) _winogradWeights.Run(x, dy, batch, dw);
        else _weights!.Run(x, dy, batch, dw);
    }

    public void Dispose()
    {
        _forward.Dispose();
        _backward?.Dispose();
        _weights?.Dispose();
        _winogradForward?.Dispose();
        _winogradBackward?.Dispose();
    }
}
