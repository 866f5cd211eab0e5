using Asni.Devices;
using Asni.Tensors;

namespace Asni.Cpu.Sparse;

/// <summary>One live weight: where its operand lies from the place of the result, and its value.</summary>
internal struct Tap
{
    public int Offset;
    public float Value;
}

/// <summary>Memory of a list, kept when the mask changes: fresh pages cost more than the list.</summary>
internal sealed unsafe class TapStorage : IDisposable
{
    private CpuBuffer? _taps;

    /// <summary>At least as many as asked for last.</summary>
    public int[] Indices { get; private set; } = [];

    public Tap* Taps { get; private set; }

    public void Grow(int count)
    {
        if (_taps is not null && Indices.Length >= count) return;
        _taps?.Dispose();
        _taps = new CpuBuffer((long)sizeof(Tap) * count);
        Indices = new int[count];
        Taps = (Tap*)_taps.Pointer;
    }

    public void Dispose() => _taps?.Dispose();
}

/// <summary>
/// The live weights of a filter by class of results, block of source channels, and line: the entries of line l are
/// Offsets[(class * ChannelBlocks + block) * lines + l] up to the next offset. Built anew when the mask changes; values are refreshed when
/// the weights have changed.
/// </summary>
internal sealed unsafe class TapList
{
    private readonly TapStorage _storage;
    private int[]? _lineOffsets;
    private readonly Lock _gate = new();
    private WeightValues _values;

    private TapList(int[] offsets, int channelBlocks, TapStorage storage)
    {
        (Offsets, ChannelBlocks, _storage) = (offsets, channelBlocks, storage);
        storage.Grow(offsets[^1]);
    }

    /// <summary>How many taps the lines before each have in all blocks, of one class. Workers ask for it side by side, and see it whole or not at all.</summary>
    private int[] LineOffsets
    {
        get
        {
            if (ChannelBlocks == 1) return Offsets;
            if (_lineOffsets is { } known) return known;
            int lines = (Offsets.Length - 1) / ChannelBlocks;
            var offsets = new int[lines + 1];
            for (int line = 0; line < lines; line++)
            {
                offsets[line + 1] = offsets[line];
                for (int list = line; list < Offsets.Length - 1; list += lines) offsets[line + 1] += Offsets[list + 1] - Offsets[list];
            }
            return _lineOffsets = offsets;
        }
    }

    public int[] Offsets { get; }
    public int ChannelBlocks { get; }

    /// <summary>Where each tap's weight is in the HWIO filter.</summary>
    public ReadOnlySpan<int> Indices => _storage.Indices.AsSpan(0, Live);

    public Tap* Taps => _storage.Taps;
    public int Live => Offsets[^1];

    /// <summary>Lines are outputs.</summary>
    /// <param name="mask">In PyTorch's order, OIHW.</param>
    /// <param name="blockChannels">Channels of the source in a block.</param>
    public static TapList Forward(Mask mask, in ConvolutionSpec spec, in Planes from, int blockChannels, TapStorage storage, Workers workers) =>
        Sort(mask, spec, storage, new ForwardEntries(spec, from, blockChannels), spec.Filter.Out, Blocks(from, blockChannels), 1, workers);

    /// <summary>Lines are inputs, by class of row and column.</summary>
    public static TapList Backward(Mask mask, in ConvolutionSpec spec, in Planes from, int blockChannels, TapStorage storage, Workers workers)
    {
        int blocks = Blocks(from, blockChannels);
        return Sort(mask, spec, storage, new BackwardEntries(spec, from, blockChannels, blocks), spec.Input.Channels, blocks, TapGeometry.Backward(spec).Classes, workers);
    }

    /// <summary>Blocks of source channels.</summary>
    public static int Blocks(in Planes from, int blockChannels) => (from.Channels + blockChannels - 1) / blockChannels;

    /// <summary>
    /// A layer as a sparse matrix over its flattened input, (H, W, C) as activations lie on this device: lines are outputs or, transposed,
    /// inputs, and their partners lie <paramref name="pitch"/> floats apart. A weight of a convolution stands in it once for each position where
    /// it meets more than padding.
    /// </summary>
    /// <param name="spec">One group.</param>
    /// <param name="blockShift">Partners in a block: 2 to this power.</param>
    public static TapList Unrolled(Mask mask, in ConvolutionSpec spec, TapPairs pairs, int pitch, bool transposed, int blockShift, TapStorage storage, Workers workers)
    {
        (int lines, int partners) = transposed ? (spec.Input.Elements, spec.Output.Elements) : (spec.Output.Elements, spec.Input.Elements);
        _ = checked(Math.Max(lines, partners) * pitch);
        int blocks = (partners - 1 >> blockShift) + 1;
        return transposed
            ? Sort(mask, spec, storage, new TransposedEntries(pairs, spec, pitch, blockShift), lines, blocks, 1, workers)
            : Sort(mask, spec, storage, new MatrixEntries(pairs, spec, pitch, blockShift), lines, blocks, 1, workers);
    }

    /// <summary>A counting sort in two passes over the same entries, the first to count those of each list, the second to place them.</summary>
    private static TapList Sort<TEntries>(Mask mask, in ConvolutionSpec spec, TapStorage storage, TEntries entries, int lines, int channelBlocks, int classes, Workers workers)
        where TEntries : struct, IEntries
    {
        int lists = lines * channelBlocks * classes;
        var body = new SortBody<TEntries>(mask, spec, entries, lists, new int[workers.Count * lists]);
        workers.RunSized(mask.Live, ref body);
        var list = new TapList(body.TurnToOffsets(workers.Count), channelBlocks, storage);
        body.List = list;
        workers.RunSized(mask.Live, ref body);
        return list;
    }

    /// <summary>Counts entries or, when there is a list, places them; each worker those of its share of the outputs.</summary>
    private struct SortBody<TEntries>(Mask mask, ConvolutionSpec spec, TEntries entries, int lists, int[] next) : IParallelBody where TEntries : struct, IEntries
    {
        public TapList? List;

        public readonly void Execute(int worker, int workers)
        {
            (long first, long end) = Partition.Range(spec.Filter.Out, worker, workers);
            var weights = new LivePositions(mask, spec, (int)first, (int)end);
            Span<int> mine = next.AsSpan(worker * lists, lists);
            if (List is { } list) Place(weights, mine, list);
            else Count(weights, mine);
        }

        /// <summary>Each worker's counts become the places where its entries begin: behind those of the workers before it.</summary>
        public readonly int[] TurnToOffsets(int workers)
        {
            var offsets = new int[lists + 1];
            int start = 0;
            for (int list = 0; list < lists; list++)
            {
                offsets[list] = start;
                for (int worker = 0; worker < workers; worker++)
                {
                    int count = next[worker * lists + list];
                    next[worker * lists + list] = start;
                    start += count;
                }
            }
            offsets[lists] = start;
            return offsets;
        }

        private readonly void Count(LivePositions weights, Span<int> counts)
        {
            while (weights.MoveNext())
            {
                Position weight = weights.Current;
                (int first, int end) = entries.GetRange(weight.Tap);
                for (int i = first; i < end; i++) counts[entries.ListOf(weight, i)]++;
            }
        }

        private readonly void Place(LivePositions weights, Span<int> indices, TapList to)
        {
            while (weights.MoveNext())
            {
                Position weight = weights.Current;
                (int first, int end) = entries.GetRange(weight.Tap);
                for (int i = first; i < end; i++) to.Set(indices[entries.ListOf(weight, i)]++, weight.Weight, entries.OffsetOf(weight, i));
            }
        }
    }

    private void Set(int at, int weight, int offset)
    {
        _storage.Indices[at] = weight;
        _storage.Taps[at].Offset = offset;
    }

    /// <summary>A worker's lines when they are shared by live weights; an empty line costs something too, for its result must be written.</summary>
    public (int First, int Last) PartitionLines(int worker, int workers) => (Boundary(LineOffsets, worker, workers), Boundary(LineOffsets, worker + 1, workers));

    /// <summary>A worker's lists when they are shared by live weights.</summary>
    public (int First, int Last) PartitionLists(int worker, int workers) => (Boundary(Offsets, worker, workers), Boundary(Offsets, worker + 1, workers));

    private static int Boundary(int[] offsets, int part, int parts)
    {
        int low = 0, high = offsets.Length - 1;
        if (part == parts) return high;
        long target = ((long)offsets[^1] + high) * part / parts;
        while (low < high)
        {
            int middle = (low + high) / 2;
            if (offsets[middle] + middle < target) low = middle + 1; else high = middle;
        }
        return low;
    }

    /// <summary>Whether values of these weights are still to be fetched; from now on the list is taken to hold them.</summary>
    public bool TakesUp(WeightValues weights)
    {
        if (_values == weights) return false;
        _values = weights;
        return true;
    }

    /// <summary>Fetches the values from the filter, unless the list holds them: once for all callers that share it.</summary>
    public void Refresh(WeightValues weights, Workers workers)
    {
        lock (_gate)
        {
            if (_values == weights) return;
            var body = new RefreshBody(weights.Weights, this);
            workers.RunSized(8L * Live, ref body);
            _values = weights;
        }
    }

    /// <summary>Fetches the values of some taps.</summary>
    public void Refresh(float* weights, int first, int last)
    {
        Tap* taps = Taps;
        ReadOnlySpan<int> indices = Indices;
        for (int k = first; k < last; k++) taps[k].Value = weights[indices[k]];
    }

    private readonly struct RefreshBody(float* weights, TapList list) : IParallelBody
    {
        public void Execute(int worker, int workers)
        {
            (long first, long last) = Partition.Range(list.Live, worker, workers);
            list.Refresh(weights, (int)first, (int)last);
        }
    }

    /// <summary>
    /// Where a live weight goes: for each of its entries the list, (class * blocks + block) * lines + line, and the offset of its operand. By tables,
    /// for there are millions.
    /// </summary>
    private interface IEntries
    {
        /// <summary>Numbers of the entries of the weights of one tap.</summary>
        (int First, int End) GetRange(int tap);
        int ListOf(in Position p, int entry);
        int OffsetOf(in Position p, int entry);
    }

    private readonly struct MatrixEntries(TapPairs pairs, ConvolutionSpec spec, int pitch, int blockShift) : IEntries
    {
        private readonly int[] _outputs = pairs.Outputs, _inputs = pairs.Inputs;
        private readonly int _outputChannels = spec.Output.Channels, _inputChannels = spec.Input.Channels, _lines = spec.Output.Elements;

        public (int First, int End) GetRange(int tap) => pairs.GetRange(tap);
        public int ListOf(in Position p, int entry) => (Partner(p, entry) >> blockShift) * _lines + _outputs[entry] * _outputChannels + p.Output;
        public int OffsetOf(in Position p, int entry) => Partner(p, entry) * pitch;
        private int Partner(in Position p, int entry) => _inputs[entry] * _inputChannels + p.Input;
    }

    private readonly struct TransposedEntries(TapPairs pairs, ConvolutionSpec spec, int pitch, int blockShift) : IEntries
    {
        private readonly int[] _outputs = pairs.Outputs, _inputs = pairs.Inputs;
        private readonly int _outputChannels = spec.Output.Channels, _inputChannels = spec.Input.Channels, _lines = spec.Input.Elements;

        public (int First, int End) GetRange(int tap) => pairs.GetRange(tap);
        public int ListOf(in Position p, int entry) => (Partner(p, entry) >> blockShift) * _lines + _inputs[entry] * _inputChannels + p.Input;
        public int OffsetOf(in Position p, int entry) => Partner(p, entry) * pitch;
        private int Partner(in Position p, int entry) => _outputs[entry] * _outputChannels + p.Output;
    }

    private readonly struct ForwardEntries : IEntries
    {
        private readonly int[] _firstKeys, _offsets, _firstChannels;
        private readonly int _pitch;

        public ForwardEntries(in ConvolutionSpec spec, in Planes from, int blockChannels)
        {
            int lines = spec.Filter.Out, outputsOfGroup = lines / spec.Groups, inputs = spec.Filter.In;
            _pitch = from.ChannelPitch;
            int width = spec.Filter.Width;
            _firstKeys = [.. Enumerable.Range(0, from.Channels).Select(c => c / blockChannels * lines)];
            _firstChannels = [.. Enumerable.Range(0, lines).Select(o => o / outputsOfGroup * inputs)];
            _offsets = new int[spec.Filter.Height * width];
            for (int k = 0; k < _offsets.Length; k++) _offsets[k] = from.Offset(0, k / width, k % width);
        }

        public (int First, int End) GetRange(int tap) => (0, 1);
        public int ListOf(in Position p, int entry) => _firstKeys[_firstChannels[p.Output] + p.Input] + p.Output;
        public int OffsetOf(in Position p, int entry) => (_firstChannels[p.Output] + p.Input) * _pitch + _offsets[p.Tap];
    }

    private readonly struct BackwardEntries : IEntries
    {
        private readonly int[] _firstKeys, _firstLines, _classKeys, _offsets;
        private readonly int _pitch;

        public BackwardEntries(in ConvolutionSpec spec, in Planes from, int blockChannels, int blocks)
        {
            TapGeometry geometry = TapGeometry.Backward(spec);
            int lines = spec.Input.Channels, outputs = spec.Filter.Out, outputsOfGroup = outputs / spec.Groups, inputs = spec.Filter.In;
            _pitch = from.ChannelPitch;
            int width = spec.Filter.Width;
            _firstKeys = [.. Enumerable.Range(0, outputs).Select(o => o / blockChannels * lines)];
            _firstLines = [.. Enumerable.Range(0, outputs).Select(o => o / outputsOfGroup * inputs)];
            _classKeys = new int[spec.Filter.Height * width];
            _offsets = new int[_classKeys.Length];
            for (int k = 0; k < _offsets.Length; k++)
            {
                (int rowClass, int row) = TapGeometry.BackwardRow(k / width, spec);
                (int columnClass, int column) = TapGeometry.BackwardRow(k % width, spec);
                _classKeys[k] = (rowClass * spec.Stride + columnClass) * blocks * lines;
                _offsets[k] = from.Offset(0, row - geometry.FirstRow, column - geometry.FirstColumn);
            }
        }

        public (int First, int End) GetRange(int tap) => (0, 1);
        public int ListOf(in Position p, int entry) => _classKeys[p.Tap] + _firstKeys[p.Output] + _firstLines[p.Output] + p.Input;
        public int OffsetOf(in Position p, int entry) => p.Output * _pitch + _offsets[p.Tap];
    }
}
