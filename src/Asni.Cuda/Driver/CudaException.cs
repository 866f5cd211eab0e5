using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;

namespace Asni.Cuda.Driver;

/// <summary>A call to the driver failed; the message has the call, and the driver's own name and text for the error.</summary>
internal sealed class CudaException : AsniException
{
    public const int InvalidValue = 1, OutOfMemory = 2, NotInitialized = 3, NoDevice = 100, InvalidPtx = 218, NoBinaryForGpu = 209,
        UnsupportedPtxVersion = 222, NotFound = 500, NotReady = 600, IllegalAddress = 700,
        LaunchOutOfResources = 701;

    public CudaException(int code, string message) : base(message) => Code = code;

    /// <summary>The CUresult.</summary>
    public int Code { get; }

    /// <summary>The GPU refuses the launch, by its shape or its resources; the context is as good as before.</summary>
    public bool IsRefusedLaunch => Code is InvalidValue or LaunchOutOfResources;

    /// <summary>Throws unless <paramref name="code"/> is success. The call's text is the argument as written.</summary>
    /// <exception cref="CudaException">The call failed.</exception>
    public static void Check(int code, [CallerArgumentExpression(nameof(code))] string call = "")
    {
        if (code != 0) Throw(code, call);
    }

    /// <summary>The driver's name and text for an error: "CUDA_ERROR_OUT_OF_MEMORY, out of memory".</summary>
    public static string Describe(int code)
    {
        string? name = Cuda.cuGetErrorName(code, out nint namePointer) == 0 ? Marshal.PtrToStringUTF8(namePointer) : null;
        string? text = Cuda.cuGetErrorString(code, out nint textPointer) == 0 ? Marshal.PtrToStringUTF8(textPointer) : null;
        return name == null ? $"error {code}" : $"{name}, {text}";
    }

    private static void Throw(int code, string call)
    {
        // "Cuda.cuMemAlloc_v2(out ulong address, bytes)": the function's name says it.
        int start = call.StartsWith("Cuda.", StringComparison.Ordinal) ? 5 : 0;
        int end = call.IndexOf('(');
        string function = end > start ? call[start..end] : call;
        throw new CudaException(code, $"The CUDA driver's {function} failed: {Describe(code)}.");
    }
}
