namespace Asni.Cuda.Libraries;

/// <summary>A call to cuBLAS, cuDNN or NCCL failed; the message has the call, and the library's own text for the status.</summary>
internal sealed class CudaLibraryException(string library, string call, string? text, int status)
    : AsniException($"{library}'s {(call.IndexOf('(') is > 0 and int end ? call[..end] : call)} failed: {text ?? "status"} ({status}).")
{
    /// <summary>The library has no such operation: cuBLAS's 15, cuDNN's 9 up to release 8 and 3000 to 3099 from 9 on.</summary>
    public bool IsNotSupported { get; } = library == "cuBLAS" ? status == 15 : status is 9 or (>= 3000 and < 3100);
}
