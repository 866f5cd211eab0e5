using Asni.Cuda.Driver;
using Asni.Distributed;

namespace Asni.Cuda.Libraries;

/// <summary>
/// What a GPU has for exchanges with those of other ranks. The communicator stays until the process ends: its own end waits for the other ranks, which a rank that failed may not do.
/// Memory stays as long as the device, because NCCL remembers the addresses of recorded exchanges.
/// </summary>
internal sealed class GpuExchange(CudaStream stream) : IDisposable
{
    private Communicator? _ranks;
    private readonly List<CudaBuffer> _buffers = [];

    /// <summary>Null: the ranks' GPUs do not exchange.</summary>
    public Nccl? Nccl { get; private set; }

    /// <summary>The same on every rank, which all call it.</summary>
    public void Join(Communicator ranks)
    {
        if (_ranks == ranks) return;
        Nccl = Nccl.Open(stream, ranks);
        _ranks = ranks;
    }

    /// <summary>Device addresses of memory for what a rank gives and what it takes.</summary>
    public (ulong Row, ulong Received) Reserve(long bytes)
    {
        if (_buffers.Count == 0 || _buffers[^1].Bytes < bytes)
        {
            _buffers.Add(new CudaBuffer(stream, bytes));
            _buffers.Add(new CudaBuffer(stream, bytes));
        }
        return (_buffers[^2].Pointer, _buffers[^1].Pointer);
    }

    public void Dispose()
    {
        foreach (CudaBuffer buffer in _buffers) buffer.Dispose();
    }
}
