using System.Runtime.CompilerServices;
using Asni.Devices;
using Asni.Networks;

namespace Asni.Cpu;

/// <summary>What the pass of sums adds up besides the first factor.</summary>
internal interface ISumKind
{
    /// <summary>From d = x - mean and the gradient g: the number whose sum, and the sum of whose product with d, is wanted.</summary>
    static abstract V Value<L, V>(V d, V g) where L : struct, ILanes<V> where V : struct;
    static abstract float Value(float d, float g);
    static abstract bool NeedsGradient { get; }
}

/// <summary>Sums of d and d * d.</summary>
internal readonly struct Square : ISumKind
{
    public static bool NeedsGradient => false;
    public static V Value<L, V>(V d, V g) where L : struct, ILanes<V> where V : struct => d;
    public static float Value(float d, float g) => d;
}

/// <summary>Sums of g and g * d.</summary>
internal readonly struct GradientProduct : ISumKind
{
    public static bool NeedsGradient => true;
    public static V Value<L, V>(V d, V g) where L : struct, ILanes<V> where V : struct => g;
    public static float Value(float d, float g) => g;
}

/// <summary>
/// What an activation's slope depends on: its output, or its input computed again as the forward pass did, to the bit, which has the same sign and
/// the same side of 6 and saves a tensor's way through memory. That takes that nothing was added to it.
/// </summary>
/// <param name="output">Null: to be computed again.</param>
internal readonly unsafe struct BatchNormOutput(float* output, float* scale, float* offset)
{
    /// <param name="d">x - mean.</param>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public V Load<L, V>(V d, long row, int i) where L : struct, ILanes<V> where V : struct =>
        output != null ? L.Load(output + row + i) : L.Fma(d, L.Load(scale + i), L.Load(offset + i));

    public float Load(float d, long row, int i) => output != null ? output[row + i] : d * scale[i] + offset[i];
}

/// <summary>Two sums a lane, in parts of the rows: of d and d * d forward; of the gradient behind the activation and its product with d backward; d = x - mean.</summary>
internal readonly unsafe struct BatchNormSums<A, K>(ChannelRows rows, WorkQueue parts, int count, float* x, BatchNormOutput y, float* g, long elements, float* mean, float* blockSums,
    double* sums) : IVectorBody where A : struct, IActivation where K : struct, ISumKind
{
    public void Execute<L, V>(int worker, int workers) where L : struct, ILanes<V> where V : struct
    {
        float* block = blockSums + 2L * worker * rows.Width;
        for (int part; (part = parts.Next(worker)) >= 0;)
        {
            double* total = sums + 2L * part * rows.Width;
            new Span<double>(total, 2 * rows.Width).Clear();
            (long row, long end) = rows.PartitionRows(elements, part, count);
            for (; row < end; row += rows.BlockRows)
            {
                new Span<float>(block, 2 * rows.Width).Clear();
                SumRows<L, V>(row, Math.Min(end, row + rows.BlockRows), block);
                for (int i = 0; i < 2 * rows.Width; i += L.Count) L.AddTo(L.Load(block + i), total + i);
            }
            if (part == count - 1) SumTail(total);
        }
    }

    private void SumRows<L, V>(long row, long end, float* block) where L : struct, ILanes<V> where V : struct
    {
        int width = rows.Width;
        for (; row <= end - 4; row += 4)
        {
            long at = row * width;
            for (int i = 0; i < width; i += L.Count)
            {
                V m = L.Load(mean + i);
                Load<L, V>(at, i, m, out V d0, out V v0);
                Load<L, V>(at + width, i, m, out V d1, out V v1);
                Load<L, V>(at + 2L * width, i, m, out V d2, out V v2);
                Load<L, V>(at + 3L * width, i, m, out V d3, out V v3);
                V first = L.Add(L.Add(v0, v1), L.Add(v2, v3));
                V second = L.Add(L.Fma(v0, d0, L.Multiply(v1, d1)), L.Fma(v2, d2, L.Multiply(v3, d3)));
                L.Store(L.Add(L.Load(block + i), first), block + i);
                L.Store(L.Add(L.Load(block + width + i), second), block + width + i);
            }
        }
        for (; row < end; row++)
        {
            for (int i = 0; i < width; i += L.Count)
            {
                Load<L, V>(row * width, i, L.Load(mean + i), out V d, out V v);
                L.Store(L.Add(L.Load(block + i), v), block + i);
                L.Store(L.Fma(v, d, L.Load(block + width + i)), block + width + i);
            }
        }
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private void Load<L, V>(long row, int i, V m, out V d, out V v) where L : struct, ILanes<V> where V : struct
    {
        d = L.Subtract(L.Load(x + row + i), m);
        V gradient = default;
        if (K.NeedsGradient) gradient = A.Backward<L, V>(A.NeedsKept ? y.Load<L, V>(d, row, i) : default, L.Load(g + row + i));
        v = K.Value<L, V>(d, gradient);
    }

    private void SumTail(double* total)
    {
        long start = elements / rows.Width * rows.Width;
        for (int i = 0; start + i < elements; i++)
        {
            float d = x[start + i] - mean[i];
            float v = K.Value(d, K.NeedsGradient ? A.Backward(A.NeedsKept ? y.Load(d, start, i) : 0, g[start + i]) : 0);
            total[i] += v;
            total[rows.Width + i] += (double)v * d;
        }
    }
}

/// <summary>y = activation((x - mean) * scale + offset [+ skip]), from the last block to the first.</summary>
internal readonly unsafe struct BatchNormApply(ChannelRows rows, WorkQueue blocks, float* x, float* skip, long elements, Activation activation, float* mean, float* scale,
    float* offset, float* y) : IVectorBody
{
    private readonly bool _nonTemporal = Caches.Outgrown(y, elements);

    public void Execute<L, V>(int worker, int workers) where L : struct, ILanes<V> where V : struct
    {
        var call = new Call<L, V>(this, worker, workers);
        Activations.Fused(activation, ref call);
    }

    private readonly struct Call<L, V>(BatchNormApply body, int worker, int workers) : IActivationCall where L : struct, ILanes<V> where V : struct
    {
        public void Run<A>() where A : struct, IActivation => body.Execute<L, V, A>(worker, workers);
    }

    private void Execute<L, V, A>(int worker, int workers) where L : struct, ILanes<V> where V : struct where A : struct, IActivation
    {
        if (worker == workers - 1) ApplyTail<A>();
        for (int block; (block = blocks.Next(worker)) >= 0;)
        {
            (long row, long end) = rows.Block(elements, block);
            if (skip == null) for (; row < end; row++) ApplyRow<L, V, A>(row * rows.Width);
            else for (; row < end; row++) AddRow<L, V, A>(row * rows.Width);
        }
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private void Put<L, V>(V result, float* to) where L : struct, ILanes<V> where V : struct
    {
        if (_nonTemporal) L.StoreNonTemporal(result, to);
        else L.Store(result, to);
    }

    private void ApplyRow<L, V, A>(long at) where L : struct, ILanes<V> where V : struct where A : struct, IActivation
    {
        float* from = x + at, to = y + at;
        for (int i = 0; i < rows.Width; i += L.Count)
        {
            V d = L.Subtract(L.Load(from + i), L.Load(mean + i));
            Put<L, V>(A.Apply<L, V>(L.Fma(d, L.Load(scale + i), L.Load(offset + i))), to + i);
        }
    }

    private void AddRow<L, V, A>(long at) where L : struct, ILanes<V> where V : struct where A : struct, IActivation
    {
        float* from = x + at, residual = skip + at, to = y + at;
        for (int i = 0; i < rows.Width; i += L.Count)
        {
            V d = L.Subtract(L.Load(from + i), L.Load(mean + i));
            V normalized = L.Fma(d, L.Load(scale + i), L.Load(offset + i));
            Put<L, V>(A.Apply<L, V>(L.Add(normalized, L.Load(residual + i))), to + i);
        }
    }

    private void ApplyTail<A>() where A : struct, IActivation
    {
        long start = elements / rows.Width * rows.Width;
        for (int i = 0; start + i < elements; i++)
        {
            float normalized = (x[start + i] - mean[i]) * scale[i] + offset[i];
            y[start + i] = A.Apply(skip == null ? normalized : normalized + skip[start + i]);
        }
    }
}

/// <summary>
/// With g the gradient behind the activation: dx = scale * g + slope * (x - mean) + offset, and dSkip = g or dSkip += g; from the last block to the first.
/// </summary>
internal readonly unsafe struct BatchNormBackward(ChannelRows rows, WorkQueue blocks, float* x, BatchNormOutput y, float* dy, long elements, Activation activation, float* mean,
    float* scale, float* slope, float* offset, bool accumulateSkip, float* dSkip, float* dx) : IVectorBody
{
    private interface ISkip
    {
        static abstract bool Writes { get; }
        static abstract bool Accumulates { get; }
    }

    private readonly struct NoSkip : ISkip
    {
        public static bool Writes => false;
        public static bool Accumulates => false;
    }

    private readonly struct StoreSkip : ISkip
    {
        public static bool Writes => true;
        public static bool Accumulates => false;
    }

    private readonly struct AddSkip : ISkip
    {
        public static bool Writes => true;
        public static bool Accumulates => true;
    }

    public void Execute<L, V>(int worker, int workers) where L : struct, ILanes<V> where V : struct
    {
        var call = new Call<L, V>(this, worker, workers);
        Activations.Fused(activation, ref call);
    }

    private readonly struct Call<L, V>(BatchNormBackward body, int worker, int workers) : IActivationCall where L : struct, ILanes<V> where V : struct
    {
        public void Run<A>() where A : struct, IActivation => body.Execute<L, V, A>(worker, workers);
    }

    private void Execute<L, V, A>(int worker, int workers) where L : struct, ILanes<V> where V : struct where A : struct, IActivation
    {
        if (dSkip == null) Execute<L, V, A, NoSkip>(worker, workers);
        else if (accumulateSkip) Execute<L, V, A, AddSkip>(worker, workers);
        else Execute<L, V, A, StoreSkip>(worker, workers);
    }

    private void Execute<L, V, A, S>(int worker, int workers)
        where L : struct, ILanes<V> where V : struct where A : struct, IActivation where S : struct, ISkip
    {
        if (worker == workers - 1) ApplyTail<A>();
        for (int block; (block = blocks.Next(worker)) >= 0;)
        {
            (long row, long end) = rows.Block(elements, block);
            for (; row < end; row++) ApplyRow<L, V, A, S>(row * rows.Width);
        }
    }

    private void ApplyRow<L, V, A, S>(long at)
        where L : struct, ILanes<V> where V : struct where A : struct, IActivation where S : struct, ISkip
    {
        float* input = x + at, gradient = dy + at, skip = dSkip + at, to = dx + at;
        for (int i = 0; i < rows.Width; i += L.Count)
        {
            V d = L.Subtract(L.Load(input + i), L.Load(mean + i));
            V g = A.Backward<L, V>(A.NeedsKept ? y.Load<L, V>(d, at, i) : default, L.Load(gradient + i));
            V result = L.Fma(L.Load(scale + i), g, L.Fma(L.Load(slope + i), d, L.Load(offset + i)));
            if (S.Writes) L.Store(S.Accumulates ? L.Add(L.Load(skip + i), g) : g, skip + i);
            L.Store(result, to + i);
        }
    }

    private void ApplyTail<A>() where A : struct, IActivation
    {
        long start = elements / rows.Width * rows.Width;
        for (int i = 0; start + i < elements; i++)
        {
            long at = start + i;
            float d = x[at] - mean[i], g = A.Backward(A.NeedsKept ? y.Load(d, start, i) : 0, dy[at]);
            if (dSkip != null) dSkip[at] = accumulateSkip ? dSkip[at] + g : g;
            dx[at] = scale[i] * g + (slope[i] * d + offset[i]);
        }
    }
}
