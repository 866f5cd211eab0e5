using Asni.Networks;

namespace Asni.Cuda.Launchers;

/// <summary>The activation functions as the kernels know them: native/include/asni/activation.h has the same names and numbers.</summary>
internal static class CudaActivation
{
    /// <summary>Whether it is piecewise linear. The kernels of the others give NaN for one that they do not know.</summary>
    public static bool IsFused(Activation activation) => activation is Activation.None or Activation.Relu or Activation.Relu6;

    /// <summary>The number of a piecewise linear activation, which kernels fuse.</summary>
    /// <exception cref="NotSupportedException">It is none of those.</exception>
    public static int Fused(Activation activation) => IsFused(activation) ? (int)activation : throw new NotSupportedException($"no kernel fuses {activation}");
}
