using System.Numerics;
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
    private readonly SparseUnrolled? _lender;
    private readonly Scratch _scratch;
    private readonly TapPairs _pairs;
    private readonly TapStorage _outputTaps = new(), _inputTaps = new();
    private readonly Lock _gate = new();
    private Mask? _mask;
    private long _products;
    private TapList? _byOutput, _byInput;
    private LiveWeights? _live;
    private Turned _turnedInput, _turnedGradient;
    private CpuBuffer? _inputs, _outputs, _bias, _zeros;

    /// <param name="spec">With the height and width of the input that a linear layer flattens.</param>
    public SparseUnrolled(in ConvolutionSpec spec, Workers workers, Scratch scratch)
    {
        (_spec, _workers, _scratch, _pairs) = (spec, workers, scratch, new TapPairs(spec));
        (_features, _lines) = (spec.Input.Elements, spec.Output.Elements);
        _pitch = (spec.Batch + BlockSamples - 1) / BlockSamples * BlockSamples;
    }

    /// <summary>For another caller.</summary>
    private SparseUnrolled(SparseUnrolled lender, Workers workers, Scratch scratch) : this(lender._spec, workers, scratch) =>
        (_lender, _mask, _products) = (lender, lender._mask, lender._products);

    public override SparsePath ForAnotherCaller(Workers workers, Scratch scratch) => new SparseUnrolled(_lender ?? this, workers, scratch);

    /// <summary>Whether a layer is one for this path: linear, or with up to four positions and samples enough to fill vectors.</summary>
    public static bool Suits(in ConvolutionSpec spec) =>
        IsLinear(spec) || spec.Groups == 1 && spec.Output.Positions <= 4 && spec.Input.Positions <= 16 && spec.Batch >= Simd.Width / 32;

    /// <summary>A filter that covers its whole input once is a matrix: NHWC and HWIO flatten to the same order.</summary>
    public static bool IsLinear(in ConvolutionSpec spec) =>
        spec.Groups == 1 && spec.Padding == 0 && spec.Filter.Height == spec.Input.Height && spec.Filter.Width == spec.Input.Width;

    public override void SetMask(Mask? mask)
    {
        (_byOutput, _byInput, _live) = (null, null, null);
        (_turnedInput, _turnedGradient) = (default, default);
        _mask = mask;
        if (mask is null) return;
        _products = _pairs.Count(mask, _spec);
    }

    // Taken when a pass first takes this path.
    private float* Inputs => Buffer(ref _inputs, (long)_features * _pitch);
    private float* Outputs => Buffer(ref _outputs, (long)_lines * _pitch);
    private float* Bias => Buffer(ref _bias, _lines);
    private float* Zeros => Buffer(ref _zeros, Math.Max(_features, _lines));

    private static float* Buffer(ref CpuBuffer? buffer, long floats) => (float*)(buffer ??= new CpuBuffer(floats * sizeof(float))).Pointer;

    // Listed when a pass first takes this path.
    private TapList ByOutput => (_lender ?? this).ListByOutput(_workers);
    private TapList ByInput => _byInput ??= TapList.Unrolled(_mask!, _spec, _pairs, _pitch, transposed: true, BlockShift(_features, _lines), _inputTaps, _workers);
    private LiveWeights Live => _live ??= new LiveWeights(_mask!, _spec, _pairs, ByOutput, BlockShift(_lines, _features), _workers);

    /// <param name="by">Those of the caller, who may share the list.</param>
    private TapList ListByOutput(Workers by)
    {
        lock (_gate) return _byOutput ??= TapList.Unrolled(_mask!, _spec, _pairs, _pitch, transposed: false, BlockShift(_lines, _features), _outputTaps, by);
    }

    /// <summary>
    /// Partners in a block, as a power of two: what the first cache holds of them for a tile of eight vectors, or more, so that each line has enough taps in a block.
    /// </summary>
    private int BlockShift(int lines, int partners)
    {
        int bytes = Math.Min(_pitch * sizeof(float), Simd.Width), shift = BitOperations.Log2((uint)(Blocks.TileBytes / bytes));
        while (1 << shift < partners && _products < (long)Blocks.EnoughTaps * lines * ((partners - 1 >> shift) + 1)) shift++;
        return shift;
    }

    public override bool TakesForward(int batch) => Pays(batch, SparseCost.Unrolled, SparseCost.Dense(_spec, batch));
    public override bool TakesBackwardWeights(int batch) => Pays(batch, SparseCost.Gradient, SparseCost.DenseGradient(_spec, batch, _workers.Count));
    public override bool TakesBackwardData(int batch) => Pays(batch, SparseCost.Unrolled, SparseCost.DenseData(_spec, batch));

    private bool Pays(int batch, double perVector, double dense)
    {
        if (_mask is null) return false;
        if (Forced is { } forced) return forced;
        int lanes = Simd.Width / 32, vectors = (batch + lanes - 1) / lanes;
        return _products * (vectors * perVector + SparseCost.Entry(_spec)) + batch * ((double)_lines + _features) * SparseCost.Turn < dense;
    }

    public override void Forward(float* x, WeightValues w, float* bias, int batch, float* y)
    {
        Turn(x, batch, ref _turnedInput, default, ref _turnedGradient);
        if (bias != null)
            for (int line = 0; line < _lines; line += _spec.Filter.Out)
                new Span<float>(bias, _spec.Filter.Out).CopyTo(new Span<float>(Bias + line, _spec.Filter.Out));
        Multiply(ByOutput, w, new TapProduct
        {
            From = Inputs,
            Turned = Outputs,
            Batch = batch,
            Lines = _lines,
            Bias = bias != null ? Bias : null,
            Clamp = Clamp.FromActivation(_spec.Activation),
            To = y
        });
    }

    public override void BackwardData(float* dy, WeightValues w, bool accumulate, int batch, float* dx)
    {
        Turn(null, batch, ref _turnedInput, dy, ref _turnedGradient);
        _turnedInput = default;
        Multiply(ByInput, w, new TapProduct
        {
            From = Outputs,
            Turned = Inputs,
            Batch = batch,
            Lines = _features,
            Accumulate = accumulate,
            To = dx
        });
    }

    public override void BackwardWeights(float* x, float* dy, int batch, float* dw)
    {
        Turn(x, batch, ref _turnedInput, dy, ref _turnedGradient);
        _workers.Vectorize(Work(batch), new SampledProduct
        {
            Taps = ByOutput,
            Live = IsLinear(_spec) ? null : Live,
            Scratch = _scratch,
            X = Inputs,
            Dy = Outputs,
            Pitch = _pitch,
            Batch = batch,
            Outputs = _spec.Filter.Out,
            Positions = _spec.Output.Positions,
            Dw = dw
        });
    }

    public override void Forget() => (_turnedInput, _turnedGradient) = (default, default);

    public override void ForgetGradient() => _turnedGradient = default;

    public override void Dispose()
    {
        SetMask(null);
        _outputTaps.Dispose();
        _inputTaps.Dispose();
        _inputs?.Dispose();
        _outputs?.Dispose();
        _bias?.Dispose();
        _zeros?.Dispose();
    }

    private long Work(int batch) => _products * batch + (long)batch * (_lines + _features);

    private void Multiply(TapList taps, WeightValues w, TapProduct product)
    {
        product.Taps = taps;
        // Training takes them up along with the product; for inference others may be waiting for them.
        if (!_spec.Training) taps.Refresh(w, _workers);
        product.Weights = taps.TakesUp(w) ? w.Weights : null;
        product.Pitch = _pitch;
        _workers.Vectorize(Work(product.Batch), product);
    }

    /// <summary>
    /// Turns x and dy, where given and not turned already: the backward pass sees what the forward pass saw, and the gradient of the input
    /// what the gradient of the weights saw.
    /// </summary>
    private void Turn(float* x, int batch, ref Turned turnedInput, float* dy, ref Turned turnedGradient)
    {
        var body = new TurnBody
        {
            TurnedX = Inputs,
            TurnedDy = Outputs,
            Zeros = Zeros,
            Batch = batch,
            Pitch = _pitch,
            Features = _features,
            Lines = _lines
        };
        if (x != null && turnedInput != new Turned((nint)x, batch)) body.X = x;
        if (dy != null && turnedGradient != new Turned((nint)dy, batch)) body.Dy = dy;
        if (x != null) turnedInput = new Turned((nint)x, batch);
        if (dy != null) turnedGradient = new Turned((nint)dy, batch);
        long elements = (body.X != null ? (long)_features * batch : 0) + (body.Dy != null ? (long)_lines * batch : 0);
        if (elements > 0) _workers.Vectorize(elements, body);
    }

    private readonly record struct Turned(nint From, int Batch);

    /// <summary>(batch, features) to (features, pitch), the samples from the batch to the next multiple of the longest vector 0.</summary>
    private struct TurnBody : IVectorBody
    {
        /// <summary>Samples at a time.</summary>
        private const int Together = 8;

        public float* X, TurnedX, Dy, TurnedDy, Zeros;
        public int Features, Lines, Batch, Pitch;

        public readonly void Execute<L, V>(int worker, int workers) where L : struct, ILanes<V> where V : struct
        {
            if (X != null) Turn(X, Features, TurnedX, worker, workers);
            if (Dy != null) Turn(Dy, Lines, TurnedDy, worker, workers);
        }

        private readonly void Turn(float* from, int features, float* to, int worker, int workers)
        {
            (long first, long last) = Partition.Range(features, worker, workers, Together);
            float** rows = stackalloc float*[Together];
            for (int sample = 0; sample < (Batch + 15) / 16 * 16; sample += Together)
            {
                for (int s = 0; s < Together; s++) rows[s] = sample + s < Batch ? from + (long)(sample + s) * features + first : Zeros;
                RegisterTranspose.Run(rows, Together, (int)(last - first), to + first * Pitch + sample, Pitch);
            }
        }
    }

    /// <summary>to(sample, line) = activation(sum over the line's live weights of w * from(partner, sample) + bias [+ to]).</summary>
    private struct TapProduct : IVectorBody
    {
        /// <summary>Null when the taps have their values.</summary>
        public float* Weights;

        public TapList Taps;
        public float* From, Turned, Bias, To;
        public int Pitch, Batch, Lines;
        public bool Accumulate;
        public Clamp Clamp;

        public readonly void Execute<L, V>(int worker, int workers) where L : struct, ILanes<V> where V : struct
        {
            (int first, int last) = Taps.PartitionLines(worker, workers);
            if (first == last) return;
            if (Weights != null)
                for (int list = 0; list < Taps.ChannelBlocks * Lines; list += Lines) Taps.Refresh(Weights, Taps.Offsets[list + first], Taps.Offsets[list + last]);
            fixed (int* offsets = Taps.Offsets)
                TapKernels.Product<L, V>(Taps.Taps, offsets + first, last - first, Taps.ChannelBlocks, Lines, From, 0, 1, (Batch + L.Count - 1) / L.Count, Turned + (long)first * Pitch, 0, Pitch);
            Store<L, V>(first, last);
        }

        /// <summary>Turns this worker's lines back, with bias and activation.</summary>
        private readonly void Store<L, V>(int first, int last) where L : struct, ILanes<V> where V : struct
        {
            const int columns = 64;
            float* rows = stackalloc float[columns * 8];
            for (int line = first; line < last; line += columns)
            {
                int count = Math.Min(columns, last - line);
                var epilogue = new Epilogue(count, Bias != null ? Bias + line : null, Accumulate, Clamp);
                for (int sample = 0; sample < Batch; sample += 8)
                {
                    int samples = Math.Min(8, Batch - sample);
                    RegisterTranspose.Run(Turned + (long)line * Pitch + sample, count, samples, Pitch, rows, columns);
                    for (int s = 0; s < samples; s++) epilogue.Store<L, V>(rows + s * columns, To + (long)(sample + s) * Lines + line);
                }
            }
        }
    }

    /// <summary>The live weights in PyTorch's order, which is by output, and which of them each entry of the matrix is.</summary>
    private sealed class LiveWeights
    {
        public LiveWeights(Mask mask, in ConvolutionSpec spec, TapPairs pairs, TapList byOutput, int blockShift, Workers workers)
        {
            Indices = new int[mask.Live];
            Offsets = new int[spec.Filter.Out + 1];
            Ordinals = new int[byOutput.Live];
            var body = new NumberBody(mask, spec, pairs, this, blockShift, (int[])byOutput.Offsets.Clone());
            workers.RunSized(mask.Live, ref body);
            for (int o = 1; o < Offsets.Length; o++) Offsets[o] = Math.Max(Offsets[o], Offsets[o - 1]);
        }

        /// <summary>Indices in the HWIO filter.</summary>
        public int[] Indices { get; }

        /// <summary>First weight of each output.</summary>
        public int[] Offsets { get; }

        /// <summary>By entry.</summary>
        public int[] Ordinals { get; }

        /// <summary>The weights of a share of the outputs, whose lines no other worker has.</summary>
        private readonly struct NumberBody(Mask mask, ConvolutionSpec spec, TapPairs pairs, LiveWeights live, int blockShift, int[] next) : IParallelBody
        {
            private readonly int _lines = spec.Output.Elements, _channels = spec.Input.Channels;

            public void Execute(int worker, int workers)
            {
                (long first, long end) = Partition.Range(spec.Filter.Out, worker, workers);
                foreach (Position p in new LivePositions(mask, spec, (int)first, (int)end))
                {
                    live.Indices[p.Ordinal] = p.Weight;
                    live.Offsets[p.Output + 1] = p.Ordinal + 1;
                    (int from, int to) = pairs.GetRange(p.Tap);
                    for (int i = from; i < to; i++)
                    {
                        int block = pairs.Inputs[i] * _channels + p.Input >> blockShift;
                        live.Ordinals[next[block * _lines + pairs.Outputs[i] * spec.Filter.Out + p.Output]++] = p.Ordinal;
                    }
                }
            }
        }
    }

    /// <summary>dw(place) = sum over positions and samples of dy(output, sample) * x(input, sample), for live weights.</summary>
    private struct SampledProduct : IVectorBody
    {
        public TapList Taps;
        public LiveWeights? Live;
        public Scratch Scratch;
        public float* X, Dy, Dw;
        public int Pitch, Batch, Outputs, Positions;

        public readonly void Execute<L, V>(int worker, int workers) where L : struct, ILanes<V> where V : struct
        {
            if (Live is null)
            {
                Put<L, V>(worker, workers);
                return;
            }
            // A weight belongs to one output, and so to one worker, at all positions.
            (long first, long last) = Partition.Range(Outputs, worker, workers);
            Add<L, V>(Live, (int)first, (int)last, Scratch.Get(worker, Taps.Live + Live.Indices.Length));
        }

        /// <summary>
        /// A linear layer has one product a weight. A worker has neighbouring blocks of inputs, whose weights lie together, as they do for the optimizer.
        /// </summary>
        private readonly void Put<L, V>(int worker, int workers) where L : struct, ILanes<V> where V : struct
        {
            (int first, int last) = Taps.PartitionLists(worker, workers);
            ReadOnlySpan<int> offsets = Taps.Offsets;
            int width = (Batch + L.Count - 1) / L.Count;
            fixed (int* indices = Taps.Indices)
                for (int list = first, line = first % Outputs; list < last; list++, line++)
                {
                    if (line == Outputs) line = 0;
                    int start = offsets[list];
                    TapKernels.PutDots<L, V>(Taps.Taps + start, offsets[list + 1] - start, X, Dy + (long)line * Pitch, width, indices + start, Dw);
                }
        }

        private readonly void Add<L, V>(LiveWeights live, int first, int last, float* totals) where L : struct, ILanes<V> where V : struct
        {
            float* sums = totals + live.Indices.Length;
            ReadOnlySpan<int> offsets = Taps.Offsets, ordinals = live.Ordinals;
            int from = live.Offsets[first], to = live.Offsets[last];
            new Span<float>(totals + from, to - from).Clear();
            for (int section = 0; section < Taps.ChannelBlocks * Positions; section++)
                for (int list = section * Outputs + first; list < section * Outputs + last; list++)
                {
                    int start = offsets[list], end = offsets[list + 1];
                    Products<L, V>(start, end, list % (Positions * Outputs), sums);
                    for (int k = start; k < end; k++) totals[ordinals[k]] += sums[k - start];
                }
            ReadOnlySpan<int> indices = live.Indices;
            for (int n = from; n < to; n++) Dw[indices[n]] = totals[n];
        }

        private readonly void Products<L, V>(int start, int end, int line, float* sums) where L : struct, ILanes<V> where V : struct
        {
            new Span<float>(sums, end - start).Clear();
            TapKernels.AddDots<L, V>(Taps.Taps + start, end - start, X, 0, Dy + (long)line * Pitch, 0, 1, (Batch + L.Count - 1) / L.Count, sums);
        }
    }
}
