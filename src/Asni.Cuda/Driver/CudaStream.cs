using System.Runtime.CompilerServices;

namespace Asni.Cuda.Driver;

/// <summary>
/// Work in order. Copies and launches return at once and happen later; host memory that is not pinned is the exception: an upload has read it,
/// and a download has written it, when the call returns.
/// </summary>
internal sealed unsafe class CudaStream : IDisposable
{
    private const uint NonBlocking = 1;
    private const int ThreadLocalCapture = 1;

    public CudaStream(CudaContext context)
    {
        Context = context;
        context.MakeCurrent();
        CudaException.Check(Cuda.cuStreamCreate(out nint handle, NonBlocking));
        Handle = handle;
    }

    public CudaContext Context { get; }

    public nint Handle { get; private set; }

    /// <summary>Whether work is being recorded instead of done.</summary>
    public bool IsCapturing { get; private set; }

    /// <summary>Waits until everything given to the stream is done.</summary>
    /// <exception cref="CudaException">Some of it failed.</exception>
    public void Synchronize()
    {
        Context.MakeCurrent();
        CudaException.Check(Cuda.cuStreamSynchronize(Handle));
    }

    /// <summary>Work given to this stream from now on happens after the event.</summary>
    public void Wait(CudaEvent waited)
    {
        Context.MakeCurrent();
        CudaException.Check(Cuda.cuStreamWaitEvent(Handle, waited.Handle, 0));
    }

    /// <param name="to">Device address.</param>
    /// <param name="from">Host memory of any kind; it may be changed when the call returns.</param>
    public void Upload<T>(ulong to, ReadOnlySpan<T> from) where T : unmanaged
    {
        Context.MakeCurrent();
        fixed (T* source = from) CudaException.Check(Cuda.cuMemcpyHtoDAsync_v2(to, source, Bytes<T>(from.Length), Handle));
    }

    /// <param name="to">Device address.</param>
    /// <param name="from">Must stay as it is until the stream has come here.</param>
    /// <param name="bytes">From its start.</param>
    public void Upload(ulong to, PinnedMemory from, long bytes)
    {
        ArgumentOutOfRangeException.ThrowIfGreaterThan(bytes, from.Bytes);
        Context.MakeCurrent();
        CudaException.Check(Cuda.cuMemcpyHtoDAsync_v2(to, (void*)from.Pointer, (nuint)bytes, Handle));
    }

    /// <summary>Returns when the values are there.</summary>
    public void Download<T>(Span<T> to, ulong from) where T : unmanaged
    {
        Context.MakeCurrent();
        fixed (T* target = to) CudaException.Check(Cuda.cuMemcpyDtoHAsync_v2(target, from, Bytes<T>(to.Length), Handle));
        Synchronize();
    }

    /// <summary>Returns at once; the values are there when the stream has come here.</summary>
    public void Download(PinnedMemory to, ulong from, long bytes)
    {
        ArgumentOutOfRangeException.ThrowIfGreaterThan(bytes, to.Bytes);
        Context.MakeCurrent();
        CudaException.Check(Cuda.cuMemcpyDtoHAsync_v2((void*)to.Pointer, from, (nuint)bytes, Handle));
    }

    /// <summary>From one place of the GPU to another that does not overlap it.</summary>
    public void Copy(ulong to, ulong from, long bytes)
    {
        Context.MakeCurrent();
        CudaException.Check(Cuda.cuMemcpyDtoDAsync_v2(to, from, (nuint)bytes, Handle));
    }

    /// <param name="to">Device address, a multiple of 4.</param>
    /// <param name="value">What each 4 bytes become.</param>
    /// <param name="count">In units of 4 bytes.</param>
    public void Fill32(ulong to, uint value, long count)
    {
        Context.MakeCurrent();
        CudaException.Check(Cuda.cuMemsetD32Async(to, value, (nuint)count, Handle));
    }

    /// <param name="to">Device address.</param>
    /// <param name="value">What each byte becomes.</param>
    /// <param name="count">In bytes.</param>
    public void Fill8(ulong to, byte value, long count)
    {
        Context.MakeCurrent();
        CudaException.Check(Cuda.cuMemsetD8Async(to, value, (nuint)count, Handle));
    }

    /// <summary>
    /// From here to <see cref="EndCapture"/> work is recorded, not done. Until then this thread may not allocate, free or wait for the GPU.
    /// </summary>
    public void BeginCapture()
    {
        Context.MakeCurrent();
        CudaException.Check(Cuda.cuStreamBeginCapture_v2(Handle, ThreadLocalCapture));
        IsCapturing = true;
    }

    /// <summary>What was recorded, ready to be launched any number of times with the arguments and addresses it was recorded with.</summary>
    /// <exception cref="CudaException">A call in between was not allowed; nothing is being recorded any more.</exception>
    public CudaGraph EndCapture()
    {
        IsCapturing = false;
        Context.MakeCurrent();
        CudaException.Check(Cuda.cuStreamEndCapture(Handle, out nint graph));
        return new CudaGraph(graph);
    }

    /// <summary>In place of <see cref="EndCapture"/>, after a call in between failed: nothing is being recorded any more.</summary>
    public void DropCapture()
    {
        IsCapturing = false;
        Context.MakeCurrent();
        // The driver may have ended it itself.
        if (Cuda.cuStreamEndCapture(Handle, out nint graph) == 0) new CudaGraph(graph).Dispose();
    }

    public void Dispose()
    {
        if (Handle == 0) return;
        nint handle = Handle;
        Handle = 0;
        Context.MakeCurrent();
        CudaException.Check(Cuda.cuStreamDestroy_v2(handle));
    }

    private static nuint Bytes<T>(int count) => (nuint)count * (nuint)Unsafe.SizeOf<T>();
}
