using Asni.Cpu;
using Asni.Cpu.Convolution;
using Asni.Cpu.Sparse;
using Asni.Devices;
using Asni.Tensors;

namespace Asni.Bench;

/// <summary>
/// The passes of one layer as a training step makes them, however often they are repeated: weights have changed since the pass before, and of what sparse passes convert a pass finds only
/// what another pass of the same step has converted: the weight gradient the input, the data gradient the output's gradient.
/// </summary>
internal sealed class TrainingPasses(ConvolutionOperation operation, int batch)
{
    private readonly SparsePath? _sparse = (operation as CpuConvolution)?.Sparse;

    public void Forward(DeviceTensor x, ParameterTensor w, DeviceTensor y)
    {
        ((CpuBuffer)w.Buffer).Changed();
        operation.Forward(x, w, null, y);
    }

    public void BackwardWeights(DeviceTensor x, DeviceTensor dy, ParameterTensor dw)
    {
        if (_sparse?.TakesForward(batch) ?? false) _sparse.ForgetGradient();
        else _sparse?.Forget();
        operation.BackwardWeights(x, dy, dw);
    }

    public void BackwardData(DeviceTensor dy, ParameterTensor w, DeviceTensor dx)
    {
        ((CpuBuffer)w.Buffer).Changed();
        if (!(_sparse?.TakesBackwardWeights(batch) ?? true)) _sparse.ForgetGradient();
        operation.BackwardData(dy, w, false, dx);
    }
}
