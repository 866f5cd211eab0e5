using Asni.Cuda.Driver;
using Asni.Distributed;

namespace Asni.Cuda.Libraries;

/// <summary>
/// What a GPU has for exchanges with those of other ranks. The communicator stays until the process ends: its own end waits for the other ranks, which a rank that failed may not do.
/// Its memory stays too, because NCCL remembers addresses of recorded exchanges.
/// </summary>
internal sealed class GpuExchange(CudaStream stream) : IDisposable
{
    private Communicator? _ranks;
    private CudaBuffer? _row, _received;

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
        if (_row is null || _row.Bytes < bytes)
        {
            Free();
            (_row, _received) = (new CudaBuffer(stream, bytes), new CudaBuffer(stream, bytes));
        }
        return (_row.Pointer, _received!.Pointer);
    }

    public void Dispose() => Free();

    private void Free()
    {
        if (_row is not null) stream.Synchronize();
        _row?.Dispose();
        _received?.Dispose();
    }
}
