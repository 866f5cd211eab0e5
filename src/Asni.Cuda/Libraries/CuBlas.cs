using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using Asni.Cuda.Driver;

namespace Asni.Cuda.Libraries;

/// <summary>How cuBLAS numbers the types of matrices (cudaDataType_t).</summary>
internal enum CuBlasType { Fp32 = 0, Bf16 = 14 }

/// <summary>A matrix on the device as cuBLAS sees it: column by column, columns <paramref name="Pitch"/> elements apart.</summary>
internal readonly record struct CuBlasMatrix(ulong Address, CuBlasType Type, int Pitch, bool Transposed = false);

/// <summary>Matrix products of cuBLAS on one stream; NVIDIA's library, if this machine has it.</summary>
internal sealed unsafe partial class CuBlas : IDisposable
{
    private const string Library = NativeLibraries.CuBlas;
    private const int Compute32F = 68, Compute32FFastTf32 = 77, DefaultAlgorithm = -1;

    /// <summary>What NVIDIA recommends for Hopper. A workspace of one's own makes results repeatable and is needed for graphs.</summary>
    private const long WorkspaceBytes = 32 << 20;

    private readonly CudaContext _context;
    private readonly CudaMemory _workspace;
    private readonly int _compute;
    private nint _handle;

    static CuBlas() => NativeLibraries.Register();

    private CuBlas(CudaStream stream, CudaPrecision precision)
    {
        _compute = precision == CudaPrecision.Tf32 ? Compute32FFastTf32 : Compute32F;
        _context = stream.Context;
        _context.MakeCurrent();
        Check(cublasCreate_v2(out _handle));
        _workspace = new CudaMemory(stream.Context, WorkspaceBytes);
        Check(cublasSetStream_v2(_handle, stream.Handle));
        Check(cublasSetWorkspace_v2(_handle, _workspace.Pointer, (nuint)WorkspaceBytes));
    }

    /// <summary>Null when the library is not there, or does not start.</summary>
    public static CuBlas? Open(CudaStream stream, CudaPrecision precision)
    {
        if (!NativeLibraries.Exports(Library, nameof(cublasGemmEx))) return null;
        try
        {
            return new CuBlas(stream, precision);
        }
        catch (AsniException)
        {
            return null;
        }
    }

    /// <summary>As cuBLAS counts: 130100 is 13.1.0.</summary>
    public int Version => cublasGetVersion_v2(_handle, out int version) == 0 ? version : 0;

    /// <summary>c = a b, or += ; a is m x k and b k x n, after they were transposed if they are to be.</summary>
    /// <exception cref="CudaLibraryException">cuBLAS refuses.</exception>
    public void Multiply(int m, int n, int k, CuBlasMatrix a, CuBlasMatrix b, bool accumulate, CuBlasMatrix c)
    {
        _context.MakeCurrent();
        float one = 1, old = accumulate ? 1 : 0;
        Check(cublasGemmEx(_handle, a.Transposed ? 1 : 0, b.Transposed ? 1 : 0, m, n, k, &one, a.Address, (int)a.Type, a.Pitch,
            b.Address, (int)b.Type, b.Pitch, &old, c.Address, (int)c.Type, c.Pitch, _compute, DefaultAlgorithm));
    }

    public void Dispose()
    {
        if (_handle == 0) return;
        cublasDestroy_v2(_handle);
        _handle = 0;
        _workspace.Dispose();
    }

    private static void Check(int status, [CallerArgumentExpression(nameof(status))] string call = "")
    {
        if (status != 0) throw new CudaLibraryException("cuBLAS", call, Marshal.PtrToStringUTF8(cublasGetStatusString(status)), status);
    }

    [LibraryImport(Library)] private static partial int cublasCreate_v2(out nint handle);
    [LibraryImport(Library)] private static partial int cublasGetVersion_v2(nint handle, out int version);
    [LibraryImport(Library)] private static partial int cublasDestroy_v2(nint handle);
    [LibraryImport(Library)] private static partial int cublasSetStream_v2(nint handle, nint stream);
    [LibraryImport(Library)] private static partial int cublasSetWorkspace_v2(nint handle, ulong workspace, nuint bytes);
    [LibraryImport(Library)] private static partial nint cublasGetStatusString(int status);
    [LibraryImport(Library)]
    private static partial int cublasGemmEx(nint handle, int transposeA, int transposeB, int m, int n, int k, float* alpha, ulong a, int typeA,
        int pitchA, ulong b, int typeB, int pitchB, float* beta, ulong c, int typeC, int pitchC, int compute, int algorithm);
}
