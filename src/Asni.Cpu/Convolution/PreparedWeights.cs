using Asni.Cpu.Sparse;

namespace Asni.Cpu.Convolution;

/// <summary>A filter in the form that products read. Made anew when the weights have changed, once for all callers that share it.</summary>
internal abstract unsafe class PreparedWeights : IDisposable
{
    private readonly Lock _gate = new();
    private CpuBuffer? _buffer;
    private WeightValues _prepared;

    public float* Pointer => (float*)_buffer!.Pointer;

    /// <summary>Floats of the form.</summary>
    public abstract long Size { get; }

    /// <summary>Prepares these weights, unless it holds them. Memory is taken at the first call: a layer may never go this way.</summary>
    public void Take(WeightValues weights, Workers workers)
    {
        lock (_gate)
        {
            if (_prepared == weights) return;
            _buffer ??= new CpuBuffer(Size * sizeof(float));
            Prepare(weights.Weights, workers);
            _prepared = weights;
        }
    }

    public void Dispose() => _buffer?.Dispose();

    /// <summary>Writes the form of these weights to <see cref="Pointer"/>.</summary>
    private protected abstract void Prepare(float* weights, Workers workers);
}
