using System.Runtime.InteropServices;

namespace Asni.Cuda.Launchers;

/// <summary>The argument of the convolution kernels; as in native/include/asni/convolution.h, which names what a, b and y are in each pass.</summary>
[StructLayout(LayoutKind.Sequential)]
internal struct ConvolutionArgs
{
    public ulong A, B, Y, Partial, Bias, Live, Statistics;
    public long SplitElements;
    public int Batch, Height, Width, Channels;
    public int OutHeight, OutWidth, OutChannels;
    public int FilterHeight, FilterWidth, Stride, Padding, Groups;
    public int Splits, Activation, Accumulate, LiveWords;
}

/// <summary>The argument of convolution_combine.</summary>
[StructLayout(LayoutKind.Sequential)]
internal struct CombineArgs
{
    public ulong Partial, Bias, Y;
    public long Elements, SplitElements;
    public int Channels, Splits, Activation, Accumulate;
}

/// <summary>The argument of convolution_output_gradient.</summary>
[StructLayout(LayoutKind.Sequential)]
internal struct OutputGradientArgs
{
    public ulong Y, Dy, Partial;
    public long Rows, SplitElements;
    public int Channels, Activation;
}
