namespace Asni.Cuda.Driver;

/// <summary>A mark in a stream: a point to wait for, and a time.</summary>
internal sealed class CudaEvent : IDisposable
{
    private readonly CudaContext _context;

    public CudaEvent(CudaContext context)
    {
        _context = context;
        context.MakeCurrent();
        CudaException.Check(Cuda.cuEventCreate(out nint handle, 0));
        Handle = handle;
    }

    public nint Handle { get; private set; }

    /// <summary>Marks the stream's work so far; a later record takes the earlier one's place.</summary>
    public void Record(CudaStream stream)
    {
        _context.MakeCurrent();
        CudaException.Check(Cuda.cuEventRecord(Handle, stream.Handle));
    }

    public void Synchronize()
    {
        _context.MakeCurrent();
        CudaException.Check(Cuda.cuEventSynchronize(Handle));
    }

    /// <summary>Milliseconds from <paramref name="start"/> to this event; both must have been reached.</summary>
    public float MillisecondsSince(CudaEvent start)
    {
        _context.MakeCurrent();
        CudaException.Check(Cuda.cuEventElapsedTime(out float milliseconds, start.Handle, Handle));
        return milliseconds;
    }

    public void Dispose()
    {
        if (Handle == 0) return;
        nint handle = Handle;
        Handle = 0;
        _context.MakeCurrent();
        CudaException.Check(Cuda.cuEventDestroy_v2(handle));
    }
}
