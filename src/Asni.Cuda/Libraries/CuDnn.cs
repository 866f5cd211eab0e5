using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using Asni.Cuda.Driver;

namespace Asni.Cuda.Libraries;

/// <summary>cuDNN on one stream; NVIDIA's library, if this machine has it. Functions under their C names, each returns a cudnnStatus_t.</summary>
internal sealed unsafe partial class CuDnn : IDisposable
{
    private const string Library = NativeLibraries.CuDnn;

    static CuDnn() => NativeLibraries.Register();

    private CuDnn(CudaStream stream)
    {
        stream.Context.MakeCurrent();
        Check(cudnnCreate(out nint handle));
        Handle = handle;
        Check(cudnnSetStream(handle, stream.Handle));
    }

    public nint Handle { get; private set; }

    /// <summary>As cuDNN counts: 91002 is 9.10.2. Only where the library is there.</summary>
    public static long Version => (long)cudnnGetVersion();

    /// <summary>Null when the library is not there, or does not start.</summary>
    public static CuDnn? Open(CudaStream stream)
    {
        if (!NativeLibraries.Exports(Library, nameof(cudnnConvolutionForward))) return null;
        try
        {
            return new CuDnn(stream);
        }
        catch (AsniException)
        {
            return null;
        }
    }

    public static void Check(int status, [CallerArgumentExpression(nameof(status))] string call = "")
    {
        if (status == 0) return;
        string name = call.StartsWith("CuDnn.", StringComparison.Ordinal) ? call[6..] : call;
        throw new CudaLibraryException("cuDNN", name, Marshal.PtrToStringUTF8(cudnnGetErrorString(status)), status);
    }

    public void Dispose()
    {
        if (Handle == 0) return;
        cudnnDestroy(Handle);
        Handle = 0;
    }

    [LibraryImport(Library)] private static partial int cudnnCreate(out nint handle);
    [LibraryImport(Library)] private static partial nuint cudnnGetVersion();
    [LibraryImport(Library)] private static partial int cudnnDestroy(nint handle);
    [LibraryImport(Library)] private static partial int cudnnSetStream(nint handle, nint stream);
    [LibraryImport(Library)] private static partial nint cudnnGetErrorString(int status);

    [LibraryImport(Library)] internal static partial int cudnnCreateTensorDescriptor(out nint descriptor);
    [LibraryImport(Library)] internal static partial int cudnnDestroyTensorDescriptor(nint descriptor);
    [LibraryImport(Library)] internal static partial int cudnnSetTensor4dDescriptor(nint descriptor, int format, int type, int n, int c, int h, int w);
    [LibraryImport(Library)] internal static partial int cudnnCreateFilterDescriptor(out nint descriptor);
    [LibraryImport(Library)] internal static partial int cudnnDestroyFilterDescriptor(nint descriptor);
    [LibraryImport(Library)] internal static partial int cudnnSetFilter4dDescriptor(nint descriptor, int type, int format, int k, int c, int h, int w);
    [LibraryImport(Library)] internal static partial int cudnnCreateConvolutionDescriptor(out nint descriptor);
    [LibraryImport(Library)] internal static partial int cudnnDestroyConvolutionDescriptor(nint descriptor);
    [LibraryImport(Library)]
    internal static partial int cudnnSetConvolution2dDescriptor(nint descriptor, int padH, int padW, int strideH, int strideW, int dilationH,
        int dilationW, int mode, int type);
    [LibraryImport(Library)] internal static partial int cudnnSetConvolutionGroupCount(nint descriptor, int groups);
    [LibraryImport(Library)] internal static partial int cudnnSetConvolutionMathType(nint descriptor, int mathType);

    [LibraryImport(Library)]
    internal static partial int cudnnGetConvolutionForwardWorkspaceSize(nint handle, nint x, nint w, nint convolution, nint y, int algorithm, out nuint bytes);
    [LibraryImport(Library)]
    internal static partial int cudnnGetConvolutionBackwardDataWorkspaceSize(nint handle, nint w, nint dy, nint convolution, nint dx, int algorithm, out nuint bytes);
    [LibraryImport(Library)]
    internal static partial int cudnnGetConvolutionBackwardFilterWorkspaceSize(nint handle, nint x, nint dy, nint convolution, nint dw, int algorithm, out nuint bytes);
    [LibraryImport(Library)]
    internal static partial int cudnnConvolutionForward(nint handle, float* alpha, nint x, ulong xAt, nint w, ulong wAt, nint convolution,
        int algorithm, ulong workspace, nuint bytes, float* beta, nint y, ulong yAt);
    [LibraryImport(Library)]
    internal static partial int cudnnConvolutionBackwardData(nint handle, float* alpha, nint w, ulong wAt, nint dy, ulong dyAt, nint convolution,
        int algorithm, ulong workspace, nuint bytes, float* beta, nint dx, ulong dxAt);
    [LibraryImport(Library)]
    internal static partial int cudnnConvolutionBackwardFilter(nint handle, float* alpha, nint x, ulong xAt, nint dy, ulong dyAt, nint convolution,
        int algorithm, ulong workspace, nuint bytes, float* beta, nint dw, ulong dwAt);
}
