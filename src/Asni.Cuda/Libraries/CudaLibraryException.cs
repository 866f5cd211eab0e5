namespace Asni.Cuda.Libraries;

/// <summary>A call to cuBLAS or cuDNN failed; the message has the call, and the library's own text for the status.</summary>
internal sealed class CudaLibraryException(string library, string call, string? text, int status)
    : AsniException($"{library}'s {(call.IndexOf('(') is > 0 and int end ? call[..end] : call)} failed: {text ?? "status"} ({status}).");
