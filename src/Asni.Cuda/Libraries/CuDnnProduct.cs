using Asni.Cuda.Launchers;
using Asni.Devices;

namespace Asni.Cuda.Libraries;

/// <summary>A pass of a convolution by cuDNN, with algorithms that give the same bits each time.</summary>
internal sealed unsafe class CuDnnProduct : ConvolutionProduct
{
    private const int Nhwc = 1, CrossCorrelation = 1, Fp32 = 0, Bf16 = 9;
    // Default math multiplies fp32 as TF32; math type 2 would convert to fp16, where small gradients underflow.
    private const int DefaultMath = 0, TensorOpMath = 1, FmaMath = 3;

    /// <summary>IMPLICIT_PRECOMP_GEMM forward, ALGO_1 backward: implicit products without atomic sums.</summary>
    private const int Algorithm = 1;

    private readonly ConvolutionRuntime _runtime;
    private readonly ConvolutionShape _shape;
    private readonly ConvolutionPass _pass;
    private readonly nint _handle;
    private readonly int _type;
    private nint _x, _y, _w, _convolution;
    private int _samples;
    private ulong _workspace;
    private nuint _bytes, _available;

    /// <exception cref="CudaLibraryException">cuDNN has no such convolution.</exception>
    public CuDnnProduct(ConvolutionRuntime runtime, CuDnn dnn, in ConvolutionShape shape, ConvolutionPass pass, int samples)
    {
        _runtime = runtime;
        _handle = dnn.Handle;
        _shape = shape;
        _pass = pass;
        _type = runtime.Precision == CudaPrecision.Bf16 ? Bf16 : Fp32;
        int math = runtime.Precision switch { CudaPrecision.Bf16 => TensorOpMath, CudaPrecision.Tf32 => DefaultMath, _ => FmaMath };
        try
        {
            CuDnn.Check(CuDnn.cudnnCreateTensorDescriptor(out _x));
            CuDnn.Check(CuDnn.cudnnCreateTensorDescriptor(out _y));
            CuDnn.Check(CuDnn.cudnnCreateFilterDescriptor(out _w));
            CuDnn.Check(CuDnn.cudnnCreateConvolutionDescriptor(out _convolution));
            CuDnn.Check(CuDnn.cudnnSetFilter4dDescriptor(_w, _type, Nhwc, shape.OutChannels, shape.GroupChannels, shape.FilterHeight, shape.FilterWidth));
            CuDnn.Check(CuDnn.cudnnSetConvolution2dDescriptor(_convolution, shape.Padding, shape.Padding, shape.Stride, shape.Stride, 1, 1,
                CrossCorrelation, Fp32));
            CuDnn.Check(CuDnn.cudnnSetConvolutionGroupCount(_convolution, shape.Groups));
            CuDnn.Check(CuDnn.cudnnSetConvolutionMathType(_convolution, math));
            SetSamples(samples);
        }
        catch
        {
            Dispose();
            throw;
        }
    }

    /// <summary>In bf16 cuDNN writes weight gradients in bf16, and ours are fp32.</summary>
    public static bool Takes(ConvolutionPass pass, CudaPrecision precision) => pass != ConvolutionPass.WeightGradient || precision != CudaPrecision.Bf16;

    public override void Run(in ConvolutionCall call)
    {
        _runtime.Stream.Context.MakeCurrent();
        if (call.Samples != _samples) SetSamples(call.Samples);
        float one = 1, old = call.Accumulate ? 1 : 0;
        CuDnn.Check(_pass switch
        {
            ConvolutionPass.Forward =>
                CuDnn.cudnnConvolutionForward(_handle, &one, _x, call.A, _w, call.B, _convolution, Algorithm, _workspace, _bytes, &old, _y, call.Y),
            ConvolutionPass.DataGradient =>
                CuDnn.cudnnConvolutionBackwardData(_handle, &one, _w, call.B, _y, call.A, _convolution, Algorithm, _workspace, _bytes, &old, _x, call.Y),
            _ => CuDnn.cudnnConvolutionBackwardFilter(_handle, &one, _x, call.B, _y, call.A, _convolution, Algorithm, _workspace, _bytes, &old, _w, call.Y),
        }, "cudnnConvolution" + _pass);
    }

    public override void Dispose()
    {
        if (_convolution != 0) _ = CuDnn.cudnnDestroyConvolutionDescriptor(_convolution);
        if (_w != 0) _ = CuDnn.cudnnDestroyFilterDescriptor(_w);
        if (_y != 0) _ = CuDnn.cudnnDestroyTensorDescriptor(_y);
        if (_x != 0) _ = CuDnn.cudnnDestroyTensorDescriptor(_x);
        _x = _y = _w = _convolution = 0;
        base.Dispose();
    }

    private void SetSamples(int samples)
    {
        int images = samples * _shape.Images;
        CuDnn.Check(CuDnn.cudnnSetTensor4dDescriptor(_x, Nhwc, _type, images, _shape.Channels, _shape.Height, _shape.Width));
        CuDnn.Check(CuDnn.cudnnSetTensor4dDescriptor(_y, Nhwc, _type, images, _shape.OutChannels, _shape.OutHeight, _shape.OutWidth));
        nuint bytes;
        CuDnn.Check(_pass switch
        {
            ConvolutionPass.Forward => CuDnn.cudnnGetConvolutionForwardWorkspaceSize(_handle, _x, _w, _convolution, _y, Algorithm, out bytes),
            ConvolutionPass.DataGradient => CuDnn.cudnnGetConvolutionBackwardDataWorkspaceSize(_handle, _w, _y, _convolution, _x, Algorithm, out bytes),
            _ => CuDnn.cudnnGetConvolutionBackwardFilterWorkspaceSize(_handle, _x, _y, _convolution, _w, Algorithm, out bytes),
        }, "cudnnGetConvolutionWorkspaceSize");
        if (bytes > _available)
        {
            _workspace = _runtime.Scratch((long)bytes);
            _available = bytes;
        }
        _bytes = bytes;
        _samples = samples;
    }
}
