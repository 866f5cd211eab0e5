using System.Runtime.InteropServices;

namespace Asni.Cpu.Convolution;

/// <summary>dy *= activation'(y) in place, and db = its sum over all positions, in one pass.</summary>
internal sealed unsafe class OutputGradient(int channels, Workers workers) : IDisposable
{
    private readonly int _stride = (channels + 31) / 16 * 16;
    private readonly CpuBuffer _partials = new((long)workers.Count * ((channels + 31) / 16 * 16) * sizeof(float));

    /// <param name="db">May be null.</param>
    public void Run(float* y, Clamp clamp, long positions, float* dy, float* db)
    {
        var body = new Body { Y = y, Dy = dy, Channels = channels, Positions = positions, Clamp = clamp, Partials = (float*)_partials.Pointer, Stride = _stride };
        bool parallel = positions * channels >= WorkersExtensions.SmallestParallel;
        workers.Vectorize(positions * channels, body);
        if (db == null) return;
        float* partials = (float*)_partials.Pointer;
        for (int n = 0; n < channels; n++)
        {
            float sum = 0;
            for (int worker = 0; worker < (parallel ? workers.Count : 1); worker++) sum += partials[worker * _stride + n];
            db[n] = sum;
        }
    }

    public void Dispose() => _partials.Dispose();

    private struct Body : IVectorBody
    {
        public float* Y, Dy, Partials;
        public int Channels, Stride;
        public long Positions;
        public Clamp Clamp;

        public readonly void Execute<L, V>(int worker, int workers) where L : struct, ILanes<V> where V : struct
        {
            (long from, long to) = Partition.Range(Positions, worker, workers);
            float* sums = Partials + worker * Stride;
            NativeMemory.Clear(sums, (nuint)(Stride * sizeof(float)));
            for (long p = from; p < to; p++) Row<L, V>(Y + p * Channels, Dy + p * Channels, sums);
        }

        private readonly void Row<L, V>(float* y, float* dy, float* sums) where L : struct, ILanes<V> where V : struct
        {
            V zero = L.Create(0f), six = L.Create(6f);
            int n = 0;
            for (; n <= Channels - L.Count; n += L.Count)
            {
                V d = L.Load(dy + n);
                if (!Clamp.IsNone)
                {
                    V value = L.Load(y + n);
                    d = L.And(d, L.Greater(value, zero));
                    if (Clamp.Above) d = L.And(d, L.Greater(six, value));
                    L.Store(d, dy + n);
                }
                L.Store(L.Add(L.Load(sums + n), d), sums + n);
            }
            for (; n < Channels; n++)
            {
                bool passes = (!Clamp.Below || y[n] > 0) && (!Clamp.Above || y[n] < 6);
                if (!passes) dy[n] = 0;
                sums[n] += dy[n];
            }
        }
    }
}
