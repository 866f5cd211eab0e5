using Asni.Cpu.Convolution;
using Asni.Devices;
using Asni.Networks;
using Asni.Tensors;

namespace Asni.Cpu.Sparse;

/// <summary>
/// A linear layer, or a convolution with few positions, as one sparse matrix over its flattened input. Activations are turned so that a
/// feature's samples lie together: a live weight is then one broadcast against vectors of samples, and its gradient the product of two such rows.
/// </summary>
internal sealed unsafe class SparseUnrolled : SparsePath
{
    /// <summary>Samples of a feature are padded to whole blocks of four vectors of any width.</summary>
    private const int BlockSamples = 64;

    private readonly ConvolutionSpec _spec;
    private readonly Workers _workers;
    private readonly int _pitch, _features, _lines;
    private readonly CpuBuffer _inputs, _outputs, _bias;
    private SparseMatrix? _byOutput;
    private SparseMatrix? _byInput;

    /// <param name="spec">With the height and width of the input that a linear layer flattens.</param>
    public SparseUnrolled(in ConvolutionSpec spec, Workers workers)
    {
        (_spec, _workers) = (spec, workers);
        (_features, _lines) = (spec.Input.Elements, spec.Output.Elements);
        _pitch = (spec.Batch + BlockSamples - 1) / BlockSamples * BlockSamples;
        _inputs = new CpuBuffer((long)_features * _pitch * sizeof(float));
        _outputs = new CpuBuffer((long)_lines * _pitch * sizeof(float));
        _bias = new CpuBuffer((long)_lines * sizeof(float));
    }

    /// <summary>Whether a layer is one for this path: linear, or with up to four positions and samples enough to fill vectors.</summary>
    public static bool Suits(in ConvolutionSpec spec) =>
        IsLinear(spec) || spec.Groups == 1 && spec.Output.Positions <= 4 && spec.Input.Positions <= 16 && spec.Batch >= Simd.Width / 32;

    /// <summary>A filter that covers its whole input once is a matrix: NHWC and HWIO flatten to the same order.</summary>
    public static bool IsLinear(in ConvolutionSpec spec) =>
        spec.Groups == 1 && spec.Padding == 0 && spec.Filter.Height == spec.Input.Height && spec.Filter.Width == spec.Input.Width;

    public override void SetMask(Mask? mask) => (_byOutput, _byInput) = mask is null ? (null, null) : SparseMatrix.Create(mask, _spec, _workers.Count);

    /// <summary>
    /// Whether a pass is cheaper sparse. A fixed model, not a timing, so that equal runs take equal paths: the dense product runs at about 26
    /// multiply-adds a cycle and core; a live entry costs half a cycle for each vector of samples, and <paramref name="extra"/> cycles; turning
    /// activations costs about a cycle an element.
    /// </summary>
    private bool Pays(int batch, double extra)
    {
        if (_byOutput is null) return false;
        if (Forced is { } forced) return forced;
        double samples = (batch + BlockSamples - 1) / BlockSamples * BlockSamples;
        double dense = (double)_spec.Macs * batch / 26, sparse = _byOutput.Entries * (samples / 32 + extra) + batch * ((double)_lines + _features);
        return sparse < dense;
    }

    public override bool TakesForward(int batch) => Pays(batch, extra: 1);
    public override bool TakesBackwardWeights(int batch) => Pays(batch, extra: 8);
    public override bool TakesBackwardData(int batch) => Pays(batch, extra: 1);

    public override void Forward(float* x, float* w, float* bias, int batch, float* y)
    {
        Turn(x, _features, batch, (float*)_inputs.Pointer);
        if (bias != null)
            for (int line = 0; line < _lines; line += _spec.Filter.Out)
                new Span<float>(bias, _spec.Filter.Out).CopyTo(new Span<float>((float*)_bias.Pointer + line, _spec.Filter.Out));
        _workers.Vectorize(Work(batch), new Product
        {
            Matrix = _byOutput!,
            Weights = w,
            From = (float*)_inputs.Pointer,
            Turned = (float*)_outputs.Pointer,
            Pitch = _pitch,
            Batch = batch,
            Lines = _lines,
            Bias = bias != null ? (float*)_bias.Pointer : null,
            Activation = _spec.Activation,
            To = y
        });
    }

    public override void BackwardData(float* dy, float* w, bool accumulate, int batch, float* dx)
    {
        Turn(dy, _lines, batch, (float*)_outputs.Pointer);
        _workers.Vectorize(Work(batch), new Product
        {
            Matrix = _byInput!,
            Weights = w,
            From = (float*)_outputs.Pointer,
            Turned = (float*)_inputs.Pointer,
            Pitch = _pitch,
            Batch = batch,
            Lines = _features,
            Accumulate = accumulate,
            To = dx
        });
    }

    public override void BackwardWeights(float* x, float* dy, int batch, float* dw)
    {
        Turn(x, _features, batch, (float*)_inputs.Pointer);
        Turn(dy, _lines, batch, (float*)_outputs.Pointer);
        _workers.Vectorize(Work(batch), new SampledProduct
        {
            Matrix = _byOutput!,
            X = (float*)_inputs.Pointer,
            Dy = (float*)_outputs.Pointer,
            Pitch = _pitch,
            Batch = batch,
            Outputs = _spec.Filter.Out,
            Positions = _spec.Output.Positions,
            Dw = dw
        });
    }

    public override void Dispose()
    {
        _inputs.Dispose();
        _outputs.Dispose();
        _bias.Dispose();
    }

    private long Work(int batch) => (long)_byOutput!.Entries * batch + (long)batch * (_lines + _features);

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
                for (int sample = 0; sample < Batch; sample += 4 * L.Count)
                    for (int line = first; line < last; line++)
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

    /// <summary>dw(place) = sum over positions and samples of dy(output, sample) * x(input, sample), for live weights.</summary>
    private struct SampledProduct : IVectorBody
    {
        public SparseMatrix Matrix;
        public float* X, Dy, Dw;
        public int Pitch, Batch, Outputs, Positions;

        public readonly void Execute<L, V>(int worker, int workers) where L : struct, ILanes<V> where V : struct
        {
            // A weight belongs to one output, and so to one worker, at all positions.
            (long first, long last) = Share.Of(Outputs, worker, workers);
            int padded = (Batch + 4 * L.Count - 1) / (4 * L.Count) * (4 * L.Count);
            fixed (int* starts = Matrix.Starts, inputs = Matrix.Partners, places = Matrix.Places)
            {
                foreach (int place in worker == 0 ? Matrix.Idle : []) Dw[place] = 0;
                if (Positions > 1)
                    for (int position = 0; position < Positions; position++)
                        for (int k = starts[position * Outputs + first]; k < starts[position * Outputs + last]; k++) Dw[places[k]] = 0;
                for (int position = 0; position < Positions; position++)
                    for (long line = position * Outputs + first; line < position * Outputs + last; line++)
                        for (int k = starts[line]; k < starts[line + 1]; k++)
                        {
                            float sum = L.Sum(Dot<L, V>(X + (long)inputs[k] * Pitch, Dy + line * Pitch, padded));
                            if (Positions > 1) Dw[places[k]] += sum;
                            else Dw[places[k]] = sum;
                        }
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
