using Asni.Cpu.Convolution;
using Asni.Devices;
using Asni.Networks;
using Asni.Tensors;

namespace Asni.Cpu.Sparse;

/// <summary>
/// A linear layer whose cost follows its live weights. Activations are turned so that a feature's samples lie together: a live weight is then
/// one broadcast against vectors of samples, and its gradient the product of two such rows.
/// </summary>
internal sealed unsafe class SparseLinear : IDisposable
{
    /// <summary>Samples of a feature are padded to whole blocks of four vectors of any width.</summary>
    private const int BlockSamples = 64;

    private readonly FilterShape _filter;
    private readonly Workers _workers;
    private readonly Activation _activation;
    private readonly int _pitch;
    private readonly CpuBuffer _inputs;
    private readonly CpuBuffer _outputs;
    private SparseMatrix? _byOutput;
    private SparseMatrix? _byInput;

    /// <param name="filter">With the height and width of the input it flattens.</param>
    public SparseLinear(FilterShape filter, int batch, Activation activation, Workers workers)
    {
        (_filter, _activation, _workers) = (filter, activation, workers);
        _pitch = (batch + BlockSamples - 1) / BlockSamples * BlockSamples;
        _inputs = new CpuBuffer((long)filter.FanIn * _pitch * sizeof(float));
        _outputs = new CpuBuffer((long)filter.Out * _pitch * sizeof(float));
    }

    /// <summary>Set by tests: true or false forces a path, null lets the cost model choose.</summary>
    internal static bool? Forced { get; set; }

    public void SetMask(Mask? mask) =>
        (_byOutput, _byInput) = mask is null ? (null, null) : SparseMatrix.Create(mask, _filter, _workers.Count);

    /// <summary>
    /// Whether a pass is cheaper sparse. A fixed model, not a timing, so that equal runs take equal paths: the dense product runs at about 26
    /// multiply-adds a cycle and core; a live weight costs half a cycle for each vector of samples, and <paramref name="extra"/> cycles; turning
    /// activations costs about a cycle an element.
    /// </summary>
    private bool Pays(int batch, double extra)
    {
        if (_byOutput is null) return false;
        if (Forced is { } forced) return forced;
        double weights = (double)_filter.Out * _filter.FanIn, samples = (batch + BlockSamples - 1) / BlockSamples * BlockSamples;
        double dense = weights * batch / 26, sparse = _byOutput.Live * (samples / 32 + extra) + batch * ((double)_filter.Out + _filter.FanIn);
        return sparse < dense;
    }

    public bool TakesForward(int batch) => Pays(batch, extra: 1);
    public bool TakesBackwardWeights(int batch) => Pays(batch, extra: 8);
    public bool TakesBackwardData(int batch) => Pays(batch, extra: 1);

    public void Forward(float* x, float* w, float* bias, int batch, float* y)
    {
        Turn(x, _filter.FanIn, batch, (float*)_inputs.Pointer);
        var epilogue = new Product
        {
            Matrix = _byOutput!,
            Weights = w,
            From = (float*)_inputs.Pointer,
            Turned = (float*)_outputs.Pointer,
            Pitch = _pitch,
            Batch = batch,
            Lines = _filter.Out,
            Bias = bias,
            Activation = _activation,
            To = y
        };
        _workers.Vectorize(Work(batch), epilogue);
    }

    public void BackwardData(float* dy, float* w, bool accumulate, int batch, float* dx)
    {
        Turn(dy, _filter.Out, batch, (float*)_outputs.Pointer);
        _workers.Vectorize(Work(batch), new Product
        {
            Matrix = _byInput!,
            Weights = w,
            From = (float*)_outputs.Pointer,
            Turned = (float*)_inputs.Pointer,
            Pitch = _pitch,
            Batch = batch,
            Lines = _filter.FanIn,
            Accumulate = accumulate,
            To = dx
        });
    }

    /// <summary>Gradients of live weights only; others keep what they hold.</summary>
    public void BackwardWeights(float* x, float* dy, int batch, float* dw)
    {
        Turn(x, _filter.FanIn, batch, (float*)_inputs.Pointer);
        Turn(dy, _filter.Out, batch, (float*)_outputs.Pointer);
        _workers.Vectorize(Work(batch), new SampledProduct
        {
            Matrix = _byOutput!,
            X = (float*)_inputs.Pointer,
            Dy = (float*)_outputs.Pointer,
            Pitch = _pitch,
            Batch = batch,
            Dw = dw
        });
    }

    public void Dispose()
    {
        _inputs.Dispose();
        _outputs.Dispose();
    }

    private long Work(int batch) => (long)_byOutput!.Live * batch + (long)batch * (_filter.Out + _filter.FanIn);

    private void Turn(float* from, int features, int batch, float* to) =>
        _workers.Vectorize((long)features * batch, new TurnBody { From = from, Features = features, Batch = batch, Pitch = _pitch, To = to });

    /// <summary>(batch, features) to (features, pitch), the samples past the batch 0.</summary>
    private struct TurnBody : IVectorBody
    {
        public float* From, To;
        public int Features, Batch, Pitch;

        public readonly void Execute<L, V>(int worker, int workers) where L : struct, ILanes<V> where V : struct
        {
            (long first, long last) = Share.Of(Features, worker, workers, 16);
            RegisterTranspose.Run(From + first, Batch, (int)(last - first), Features, To + first * Pitch, Pitch);
            for (long f = first; f < last; f++) new Span<float>(To + f * Pitch + Batch, Pitch - Batch).Clear();
        }
    }

    /// <summary>to(sample, line) = activation(sum over the line's live weights of w * from(partner, sample) + bias [+ to]).</summary>
    private struct Product : IVectorBody
    {
        public SparseMatrix Matrix;
        public float* Weights, From, Turned, Bias, To;
        public int Pitch, Batch, Lines;
        public bool Accumulate;
        public Activation Activation;

        public readonly void Execute<L, V>(int worker, int workers) where L : struct, ILanes<V> where V : struct
        {
            int first = workers == 1 ? 0 : Matrix.Shares[worker], last = workers == 1 ? Lines : Matrix.Shares[worker + 1];
            if (first == last) return;
            fixed (int* starts = Matrix.Starts, partners = Matrix.Partners, places = Matrix.Places)
                for (int line = first; line < last; line++)
                    for (int sample = 0; sample < Batch; sample += 4 * L.Count)
                        Line<L, V>(partners + starts[line], places + starts[line], starts[line + 1] - starts[line], From + sample, Turned + (long)line * Pitch + sample);
            Store<L, V>(first, last);
        }

        private readonly void Line<L, V>(int* partners, int* places, int count, float* from, float* to) where L : struct, ILanes<V> where V : struct
        {
            V a = default, b = default, c = default, d = default;
            for (int k = 0; k < count; k++)
            {
                V weight = L.Create(Weights[places[k]]);
                float* x = from + (long)partners[k] * Pitch;
                a = L.Fma(weight, L.Load(x), a);
                b = L.Fma(weight, L.Load(x + L.Count), b);
                c = L.Fma(weight, L.Load(x + 2 * L.Count), c);
                d = L.Fma(weight, L.Load(x + 3 * L.Count), d);
            }
            L.Store(a, to);
            L.Store(b, to + L.Count);
            L.Store(c, to + 2 * L.Count);
            L.Store(d, to + 3 * L.Count);
        }

        /// <summary>Turns this worker's lines back, with bias and activation.</summary>
        private readonly void Store<L, V>(int first, int last) where L : struct, ILanes<V> where V : struct
        {
            const int columns = 64;
            float* rows = stackalloc float[columns * 8];
            for (int line = first; line < last; line += columns)
            {
                int count = Math.Min(columns, last - line);
                var epilogue = new Epilogue(count, Bias != null ? Bias + line : null, Accumulate, Activation);
                for (int sample = 0; sample < Batch; sample += 8)
                {
                    int samples = Math.Min(8, Batch - sample);
                    RegisterTranspose.Run(Turned + (long)line * Pitch + sample, count, samples, Pitch, rows, columns);
                    for (int s = 0; s < samples; s++) epilogue.Store<L, V>(rows + s * columns, To + (long)(sample + s) * Lines + line);
                }
            }
        }
    }

    /// <summary>dw(place) = sum over samples of dy(output, sample) * x(input, sample), for live weights.</summary>
    private struct SampledProduct : IVectorBody
    {
        public SparseMatrix Matrix;
        public float* X, Dy, Dw;
        public int Pitch, Batch;

        public readonly void Execute<L, V>(int worker, int workers) where L : struct, ILanes<V> where V : struct
        {
            int first = workers == 1 ? 0 : Matrix.Shares[worker], last = workers == 1 ? Matrix.Starts.Length - 1 : Matrix.Shares[worker + 1];
            int padded = (Batch + 4 * L.Count - 1) / (4 * L.Count) * (4 * L.Count);
            float* lanes = stackalloc float[16];
            fixed (int* starts = Matrix.Starts, inputs = Matrix.Partners, places = Matrix.Places)
                for (int o = first; o < last; o++)
                    for (int k = starts[o]; k < starts[o + 1]; k++)
                    {
                        V sum = Dot<L, V>(X + (long)inputs[k] * Pitch, Dy + (long)o * Pitch, padded);
                        L.Store(sum, lanes);
                        float total = 0;
                        for (int lane = 0; lane < L.Count; lane++) total += lanes[lane];
                        Dw[places[k]] = total;
                    }
        }

        private static V Dot<L, V>(float* x, float* dy, int samples) where L : struct, ILanes<V> where V : struct
        {
            V a = default, b = default, c = default, d = default;
            for (int s = 0; s < samples; s += 4 * L.Count)
            {
                a = L.Fma(L.Load(x + s), L.Load(dy + s), a);
                b = L.Fma(L.Load(x + s + L.Count), L.Load(dy + s + L.Count), b);
                c = L.Fma(L.Load(x + s + 2 * L.Count), L.Load(dy + s + 2 * L.Count), c);
                d = L.Fma(L.Load(x + s + 3 * L.Count), L.Load(dy + s + 3 * L.Count), d);
            }
            return L.Add(L.Add(a, b), L.Add(c, d));
        }
    }
}
