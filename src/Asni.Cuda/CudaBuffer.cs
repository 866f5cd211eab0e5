using Asni.Cuda.Driver;
using Asni.Devices;

namespace Asni.Cuda;

/// <summary>Zeroed memory of a GPU.</summary>
internal sealed class CudaBuffer : DeviceBuffer
{
    private readonly CudaMemory _memory;

    /// <exception cref="DeviceMemoryException">Not enough memory.</exception>
    public CudaBuffer(CudaStream stream, long bytes)
    {
        Bytes = bytes;
        long words = (Math.Max(bytes, 1) + 15) / 16 * 4;
        _memory = new CudaMemory(stream.Context, words * sizeof(uint));
        stream.Fill32(_memory.Pointer, 0, words);
    }

    public override long Bytes { get; }

    /// <summary>The device address.</summary>
    public ulong Pointer => _memory.Pointer != 0 ? _memory.Pointer : throw new ObjectDisposedException(nameof(CudaBuffer));

    /// <summary>Of values: their bf16 copies, half as far from the beginning.</summary>
    public CudaBuffer? Copies { get; set; }

    public static ulong At(DeviceBuffer buffer, long byteOffset = 0) => ((CudaBuffer)buffer).Pointer + (ulong)byteOffset;

    public override void Dispose() => _memory.Dispose();
}
