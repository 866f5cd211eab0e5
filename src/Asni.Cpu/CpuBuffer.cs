using System.Runtime.InteropServices;
using Asni.Devices;

namespace Asni.Cpu;

/// <summary>
/// Native memory aligned to 64 bytes, with 64 bytes of slack behind it so that a vector load may run past the last element.
/// Activations are NHWC without padding; parameters are HWIO: element (o, i, h, w) of a filter at ((h * KW + w) * I + i) * O + o.
/// </summary>
internal sealed unsafe class CpuBuffer : DeviceBuffer
{
    private const int Alignment = 64;
    private static long s_changes;
    private static long s_live;
    private byte* _pointer;

    public CpuBuffer(long bytes)
    {
        ArgumentOutOfRangeException.ThrowIfNegative(bytes);
        Bytes = bytes;
        nuint size = (nuint)(bytes + Alignment);
        _pointer = (byte*)NativeMemory.AlignedAlloc(size, Alignment);
        NativeMemory.Clear(_pointer, size);
        GC.AddMemoryPressure((long)size);
        Interlocked.Add(ref s_live, bytes);
    }

    ~CpuBuffer() => Free();

    public override long Bytes { get; }

    /// <summary>Bytes of all buffers of the process, for tests and benchmarks.</summary>
    internal static long LiveBytes => Interlocked.Read(ref s_live);

    /// <summary>Another number after each change of parameters' values in it, of no other buffer: what was made of them before no longer holds.</summary>
    public long Version { get; private set; }

    public void Changed() => Version = Interlocked.Increment(ref s_changes);

    public byte* Pointer => _pointer != null ? _pointer : throw new ObjectDisposedException(nameof(CpuBuffer));

    public static float* Floats(in DeviceTensor tensor) => (float*)(((CpuBuffer)tensor.Buffer).Pointer + tensor.ByteOffset);
    public static float* Floats(in ParameterTensor tensor) => (float*)(((CpuBuffer)tensor.Buffer).Pointer + tensor.ByteOffset);

    public override void Dispose()
    {
        Free();
        GC.SuppressFinalize(this);
    }

    private void Free()
    {
        if (_pointer == null) return;
        NativeMemory.AlignedFree(_pointer);
        _pointer = null;
        GC.RemoveMemoryPressure(Bytes + Alignment);
        Interlocked.Add(ref s_live, -Bytes);
    }
}
