using System.Runtime.CompilerServices;
using Asni.Devices;

namespace Asni.Cuda.Driver;

/// <summary>One allocation on the GPU, uninitialised.</summary>
internal sealed class CudaMemory : IDisposable
{
    private readonly CudaContext _context;

    /// <exception cref="DeviceMemoryException">Not enough memory.</exception>
    public CudaMemory(CudaContext context, long bytes)
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(bytes, 1);
        _context = context;
        context.MakeCurrent();
        int code = Cuda.cuMemAlloc_v2(out ulong pointer, (nuint)bytes);
        if (code == CudaException.OutOfMemory)
        {
            throw new DeviceMemoryException($"{context.Name} has not {Size(bytes)} left for one allocation "
                + $"({Size(context.FreeMemory)} of {Size(context.TotalMemory)} free); use a smaller batch, or free memory that other programs hold.");
        }
        CudaException.Check(code, nameof(Cuda.cuMemAlloc_v2));
        Pointer = pointer;
        Bytes = bytes;
    }

    /// <summary>Its device address; 0 once disposed.</summary>
    public ulong Pointer { get; private set; }

    public long Bytes { get; }

    public void Dispose()
    {
        if (Pointer == 0) return;
        ulong pointer = Pointer;
        Pointer = 0;
        _context.MakeCurrent();
        CudaException.Check(Cuda.cuMemFree_v2(pointer));
    }

    private static string Size(long bytes) => bytes >= 1 << 30 ? $"{bytes / (double)(1 << 30):0.0} GiB" : $"{bytes / (double)(1 << 20):0.0} MiB";
}

/// <summary>Host memory that the GPU copies from and to while the host goes on.</summary>
internal sealed unsafe class PinnedMemory : IDisposable
{
    private readonly CudaContext _context;

    /// <exception cref="CudaException">Not enough memory.</exception>
    public PinnedMemory(CudaContext context, long bytes)
    {
        _context = context;
        context.MakeCurrent();
        CudaException.Check(Cuda.cuMemHostAlloc(out nint pointer, (nuint)bytes, 0));
        Pointer = pointer;
        Bytes = bytes;
    }

    public nint Pointer { get; private set; }

    public long Bytes { get; }

    /// <summary>The whole memory as elements of T.</summary>
    public Span<T> Span<T>() where T : unmanaged
    {
        ObjectDisposedException.ThrowIf(Pointer == 0, this);
        return new((void*)Pointer, checked((int)(Bytes / Unsafe.SizeOf<T>())));
    }

    public void Dispose()
    {
        if (Pointer == 0) return;
        nint pointer = Pointer;
        Pointer = 0;
        _context.MakeCurrent();
        CudaException.Check(Cuda.cuMemFreeHost(pointer));
    }
}
