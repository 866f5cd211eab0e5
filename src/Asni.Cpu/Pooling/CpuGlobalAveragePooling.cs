using Asni.Devices;

namespace Asni.Cpu;

/// <summary>Mean over all positions of a sample, vectors along the channels.</summary>
internal sealed unsafe class CpuGlobalAveragePooling(PoolingSpec spec, Workers workers) : PoolingOperation(spec)
{
    public override void Forward(DeviceTensor x, DeviceTensor y) =>
        workers.Vectorize(x.Elements, new ForwardBody(CpuBuffer.Floats(x), x.Batch, x.Shape.Channels, x.Shape.Positions, CpuBuffer.Floats(y)));

    public override void Backward(DeviceTensor dy, bool accumulate, DeviceTensor dx) =>
        workers.Vectorize(dx.Elements,
            new BackwardBody(CpuBuffer.Floats(dy), dx.Batch, dx.Shape.Channels, dx.Shape.Positions, accumulate, CpuBuffer.Floats(dx)));

    private readonly struct ForwardBody(float* x, int batch, int channels, int positions, float* y) : IVectorBody
    {
        public void Execute<L, V>(int worker, int workers) where L : struct, ILanes<V> where V : struct
        {
            (long sample, long end) = Partition.Range(batch, worker, workers);
            float share = 1f / positions;
            for (; sample < end; sample++)
            {
                float* from = x + sample * positions * channels, to = y + sample * channels;
                int c = 0;
                for (; c <= channels - L.Count; c += L.Count) L.Store(L.Multiply(Sum<L, V>(from + c), L.Create(share)), to + c);
                for (; c < channels; c++)
                {
                    double sum = 0;
                    for (int p = 0; p < positions; p++) sum += from[(long)p * channels + c];
                    to[c] = (float)(sum / positions);
                }
            }
        }

        private V Sum<L, V>(float* from) where L : struct, ILanes<V> where V : struct
        {
            V even = default, odd = default;
            int p = 0;
            for (; p <= positions - 2; p += 2, from += 2L * channels)
            {
                even = L.Add(even, L.Load(from));
                odd = L.Add(odd, L.Load(from + channels));
            }
            return L.Add(p < positions ? L.Add(even, L.Load(from)) : even, odd);
        }
    }

    private readonly struct BackwardBody(float* dy, int batch, int channels, int positions, bool accumulate, float* dx) : IVectorBody
    {
        public void Execute<L, V>(int worker, int workers) where L : struct, ILanes<V> where V : struct
        {
            (long position, long end) = Partition.Range((long)batch * positions, worker, workers);
            float share = 1f / positions;
            for (; position < end; position++)
            {
                float* from = dy + position / positions * channels, to = dx + position * channels;
                int c = 0;
                for (; c <= channels - L.Count; c += L.Count)
                {
                    V gradient = L.Multiply(L.Load(from + c), L.Create(share));
                    L.Store(accumulate ? L.Add(L.Load(to + c), gradient) : gradient, to + c);
                }
                for (; c < channels; c++) to[c] = from[c] * share + (accumulate ? to[c] : 0);
            }
        }
    }
}
