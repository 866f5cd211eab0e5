namespace Asni.Cpu;

/// <summary>Memory that a worker uses within one region, kept for the next one.</summary>
internal sealed unsafe class Scratch(int workers) : IDisposable
{
    private readonly CpuBuffer?[] _buffers = new CpuBuffer?[workers + 1];

    /// <summary>At least this many floats, their content unknown. Only the worker itself may ask.</summary>
    public float* Get(int worker, long floats)
    {
        if (_buffers[worker] is not { } buffer || buffer.Bytes < floats * sizeof(float))
        {
            _buffers[worker]?.Dispose();
            _buffers[worker] = buffer = new CpuBuffer(floats * sizeof(float));
        }
        return (float*)buffer.Pointer;
    }

    /// <summary>The same for memory that all workers use, asked for by their caller.</summary>
    public float* Shared(long floats) => Get(workers, floats);

    public void Dispose()
    {
        foreach (CpuBuffer? buffer in _buffers) buffer?.Dispose();
    }
}
