using System.Runtime.InteropServices;
using System.Text;

namespace Asni.Cuda.Driver;

/// <summary>PTX that the driver has compiled for its GPU.</summary>
internal sealed unsafe class CudaModule : IDisposable
{
    private const int InfoLogBuffer = 3, InfoLogBytes = 4, ErrorLogBuffer = 5, ErrorLogBytes = 6, LogVerbose = 12;
    private const int LogBytes = 32 << 10;

    private readonly CudaContext _context;
    private nint _handle;

    /// <param name="context">The GPU.</param>
    /// <param name="name">What to call it in errors.</param>
    /// <param name="ptx">The PTX text.</param>
    /// <exception cref="CudaException">The driver refuses the PTX; the message has its log.</exception>
    public CudaModule(CudaContext context, string name, string ptx)
    {
        _context = context;
        Name = name;
        context.MakeCurrent();
        byte* info = stackalloc byte[LogBytes], error = stackalloc byte[LogBytes];
        *info = *error = 0;
        int* options = stackalloc int[] { InfoLogBuffer, InfoLogBytes, ErrorLogBuffer, ErrorLogBytes, LogVerbose };
        void** values = stackalloc void*[] { info, (void*)LogBytes, error, (void*)LogBytes, (void*)1 };
        int code;
        fixed (byte* image = Encoding.UTF8.GetBytes(ptx + '\0')) code = Cuda.cuModuleLoadDataEx(out _handle, image, 5, options, values);
        JitLog = Marshal.PtrToStringUTF8((nint)info) ?? "";
        if (code != 0) throw new CudaException(code, Refusal(name, code, (Marshal.PtrToStringUTF8((nint)error) ?? "").Trim()));
    }

    public string Name { get; }

    /// <summary>What the driver's compiler said: registers and spills of each kernel; empty when the driver had the result stored.</summary>
    public string JitLog { get; }

    /// <exception cref="CudaException">No such kernel.</exception>
    public CudaKernel GetKernel(string name)
    {
        _context.MakeCurrent();
        int code = Cuda.cuModuleGetFunction(out nint function, _handle, name);
        if (code == CudaException.NotFound) throw new CudaException(code, $"There is no kernel {name} in the PTX of {Name}; build native/ again.");
        CudaException.Check(code, nameof(Cuda.cuModuleGetFunction));
        return new CudaKernel(_context, name, function);
    }

    public void Dispose()
    {
        if (_handle == 0) return;
        nint handle = _handle;
        _handle = 0;
        _context.MakeCurrent();
        CudaException.Check(Cuda.cuModuleUnload(handle));
    }

    private static string Refusal(string name, int code, string log)
    {
        string remedy = code == CudaException.UnsupportedPtxVersion ? "; a newer driver would take it" : "";
        return $"The CUDA driver refuses the PTX of {name}: {CudaException.Describe(code)}{remedy}." + (log.Length == 0 ? "" : $" Its log:\n{log}");
    }
}
