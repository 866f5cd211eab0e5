using Asni.Networks;

namespace Asni.Cuda.Launchers;

/// <summary>The activation functions as the kernels know them: native/include/asni/activation.h has the same names and numbers.</summary>
internal static class CudaActivation
{
    /// <summary>The number of a piecewise linear activation, which kernels fuse.</summary>
    /// <exception cref="NotSupportedException">It is none of those.</exception>
    public static int Fused(Activation activation) => ActivationFunction.IsFused(activation) ? (int)activation : throw new NotSupportedException($"no kernel fuses {activation}");
}
