using Asni.Cuda.Launchers;
using Asni.Devices;

namespace Asni.Cuda.Libraries;

/// <summary>A pass of a 1x1 convolution of stride 1, or of a linear layer, as one matrix product of cuBLAS.</summary>
internal sealed class CuBlasProduct(CuBlas blas, CudaPrecision precision, ConvolutionShape shape, ConvolutionPass pass) : ConvolutionProduct
{
    /// <summary>Whether the shape's passes are plain matrix products.</summary>
    public static bool Takes(in ConvolutionShape shape) =>
        shape is { FilterHeight: 1, FilterWidth: 1, Stride: 1, Padding: 0, Groups: 1 };

    public override void Run(in ConvolutionCall call)
    {
        CuBlasType stored = precision == CudaPrecision.Bf16 ? CuBlasType.Bf16 : CuBlasType.Fp32;
        int rows = checked((int)shape.OutputRows(call.Samples)), c = shape.Channels, k = shape.OutChannels;
        // Our rows of pixels and of filters are cuBLAS's columns.
        var a = new CuBlasMatrix(call.A, stored, pass == ConvolutionPass.Forward ? c : k);
        var b = new CuBlasMatrix(call.B, stored, c);
        switch (pass)
        {
            case ConvolutionPass.Forward:
                blas.Multiply(k, rows, c, b with { Transposed = true }, a, false, new CuBlasMatrix(call.Y, stored, k));
                break;
            case ConvolutionPass.DataGradient:
                blas.Multiply(c, rows, k, b, a, call.Accumulate, new CuBlasMatrix(call.Y, stored, c));
                break;
            default:
                blas.Multiply(c, k, rows, b, a with { Transposed = true }, false, new CuBlasMatrix(call.Y, CuBlasType.Fp32, c));
                break;
        }
    }
}
