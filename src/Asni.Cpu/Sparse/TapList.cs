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
    public int[] Places { get; private set; } = [];

    public Tap* Taps { get; private set; }

    public void Grow(int count)
    {
        if (_taps is not null && Places.Length >= count) return;
        _taps?.Dispose();
        _taps = new CpuBuffer((long)sizeof(Tap) * count);
        Places = new int[count];
        Taps = (Tap*)_taps.Pointer;
    }

    public void Dispose() => _taps?.Dispose();
}

/// <summary>
/// The live weights of a filter by class of results, block of source channels, and line: the entries of line l are
/// Starts[(class * ChannelBlocks + block) * lines + l] up to the next start. Built anew when the mask changes; values are refreshed before
/// each use.
/// </summary>
internal sealed unsafe class TapList
{
    private readonly TapStorage _storage;

    private TapList(int[] starts, int channelBlocks, TapStorage storage)
    {
        (Starts, ChannelBlocks, _storage) = (starts, channelBlocks, storage);
        storage.Grow(starts[^1]);
    }

    public int[] Starts { get; }
    public int ChannelBlocks { get; }

    /// <summary>Where each tap's weight is in the HWIO filter.</summary>
    public ReadOnlySpan<int> Places => _storage.Places.AsSpan(0, Live);

    public Tap* Taps => _storage.Taps;
    public int Live => Starts[^1];

    /// <summary>Lines are outputs.</summary>
    /// <param name="mask">In PyTorch's order, OIHW.</param>
    /// <param name="blockChannels">Channels of the source in a block.</param>
    public static TapList Forward(Mask mask, in ConvolutionSpec spec, in Planes from, int blockChannels, TapStorage storage) =>
        Sort(mask, spec, storage, new ForwardKeys(spec, from, blockChannels), spec.Filter.Out, Blocks(from, blockChannels), 1);

    /// <summary>Lines are inputs, by class of row and column.</summary>
    public static TapList Backward(Mask mask, in ConvolutionSpec spec, in Planes from, int blockChannels, TapStorage storage)
    {
        int blocks = Blocks(from, blockChannels);
        return Sort(mask, spec, storage, new BackwardKeys(spec, from, blockChannels, blocks), spec.Input.Channels, blocks, TapGeometry.Backward(spec).Classes);
    }

    private static int Blocks(in Planes from, int blockChannels) => (from.Channels + blockChannels - 1) / blockChannels;

    /// <summary>
    /// A layer as a sparse matrix over its flattened input, (H, W, C) as activations lie on this device: lines are outputs or, transposed,
    /// inputs, and their partners lie <paramref name="pitch"/> floats apart. A weight of a convolution stands in it once for each position where
    /// it meets more than padding.
    /// </summary>
    /// <param name="spec">One group.</param>
    public static TapList Unrolled(Mask mask, in ConvolutionSpec spec, int pitch, bool transposed, TapStorage storage)
    {
        var order = new Counting(transposed ? spec.Input.Elements : spec.Output.Elements, 1, 1);
        foreach (Product p in new Products(mask, spec)) order.Count(transposed ? p.Input : p.Output);
        TapList list = order.Turn(storage);
        foreach (Product p in new Products(mask, spec))
            list.Set(order.Next(transposed ? p.Input : p.Output), p.Weight.Weight, checked((transposed ? p.Output : p.Input) * pitch));
        return list;
    }

    private static TapList Sort<TKeys>(Mask mask, in ConvolutionSpec spec, TapStorage storage, TKeys keys, int lines, int blocks, int classes) where TKeys : struct, IKeys
    {
        var order = new Counting(lines, blocks, classes);
        foreach (Position p in new LivePositions(mask, spec)) order.Count(keys.KeyOf(p));
        TapList list = order.Turn(storage);
        foreach (Position p in new LivePositions(mask, spec)) list.Set(order.Next(keys.KeyOf(p)), p.Weight, keys.OffsetOf(p));
        return list;
    }

    private void Set(int at, int weight, int offset)
    {
        _storage.Places[at] = weight;
        _storage.Taps[at].Offset = offset;
    }

    /// <summary>A worker's lines when they are shared by live weights; an empty line costs something too, for its result must be written.</summary>
    public (int First, int Last) ShareOfLines(int worker, int workers)
    {
        return (Boundary(worker), Boundary(worker + 1));

        int Boundary(int part)
        {
            int low = 0, high = Starts.Length - 1;
            long target = ((long)Starts[^1] + high) * part / workers;
            while (low < high)
            {
                int middle = (low + high) / 2;
                if (Starts[middle] + middle < target) low = middle + 1; else high = middle;
            }
            return part == workers ? Starts.Length - 1 : low;
        }
    }

    /// <summary>Fetches the values from the filter.</summary>
    public void Refresh(float* weights, Workers workers)
    {
        var body = new RefreshBody(weights, this);
        workers.RunSized(8L * Live, ref body);
    }

    /// <summary>Fetches the values of some taps.</summary>
    public void Refresh(float* weights, int first, int last)
    {
        Tap* taps = Taps;
        ReadOnlySpan<int> places = Places;
        for (int k = first; k < last; k++) taps[k].Value = weights[places[k]];
    }

    private readonly struct RefreshBody(float* weights, TapList list) : IParallelBody
    {
        public void Execute(int worker, int workers)
        {
            (long first, long last) = Share.Of(list.Live, worker, workers);
            list.Refresh(weights, (int)first, (int)last);
        }
    }

    /// <summary>Where a live weight goes: its list, (class * blocks + block) * lines + line, and the offset of its operand. By tables, for there are millions.</summary>
    private interface IKeys
    {
        int KeyOf(in Position p);
        int OffsetOf(in Position p);
    }

    private readonly struct ForwardKeys : IKeys
    {
        private readonly int[] _firstKeys, _offsets, _firstChannels;
        private readonly int _width, _pitch;

        public ForwardKeys(in ConvolutionSpec spec, in Planes from, int blockChannels)
        {
            int lines = spec.Filter.Out, outputsOfGroup = lines / spec.Groups, inputs = spec.Filter.In;
            (_width, _pitch) = (spec.Filter.Width, from.ChannelPitch);
            _firstKeys = [.. Enumerable.Range(0, from.Channels).Select(c => c / blockChannels * lines)];
            _firstChannels = [.. Enumerable.Range(0, lines).Select(o => o / outputsOfGroup * inputs)];
            _offsets = new int[spec.Filter.Height * _width];
            for (int k = 0; k < _offsets.Length; k++) _offsets[k] = from.Offset(0, k / _width, k % _width);
        }

        public int KeyOf(in Position p) => _firstKeys[_firstChannels[p.Output] + p.Input] + p.Output;
        public int OffsetOf(in Position p) => (_firstChannels[p.Output] + p.Input) * _pitch + _offsets[p.Row * _width + p.Column];
    }

    private readonly struct BackwardKeys : IKeys
    {
        private readonly int[] _firstKeys, _firstLines, _classKeys, _offsets;
        private readonly int _width, _pitch;

        public BackwardKeys(in ConvolutionSpec spec, in Planes from, int blockChannels, int blocks)
        {
            TapGeometry geometry = TapGeometry.Backward(spec);
            int lines = spec.Input.Channels, outputs = spec.Filter.Out, outputsOfGroup = outputs / spec.Groups, inputs = spec.Filter.In;
            (_width, _pitch) = (spec.Filter.Width, from.ChannelPitch);
            _firstKeys = [.. Enumerable.Range(0, outputs).Select(o => o / blockChannels * lines)];
            _firstLines = [.. Enumerable.Range(0, outputs).Select(o => o / outputsOfGroup * inputs)];
            _classKeys = new int[spec.Filter.Height * _width];
            _offsets = new int[_classKeys.Length];
            for (int k = 0; k < _offsets.Length; k++)
            {
                (int rowClass, int row) = TapGeometry.BackwardRow(k / _width, spec);
                (int columnClass, int column) = TapGeometry.BackwardRow(k % _width, spec);
                _classKeys[k] = (rowClass * spec.Stride + columnClass) * blocks * lines;
                _offsets[k] = from.Offset(0, row - geometry.FirstRow, column - geometry.FirstColumn);
            }
        }

        public int KeyOf(in Position p) => _classKeys[p.Row * _width + p.Column] + _firstKeys[p.Output] + _firstLines[p.Output] + p.Input;
        public int OffsetOf(in Position p) => p.Output * _pitch + _offsets[p.Row * _width + p.Column];
    }

    /// <summary>A counting sort in two passes over the same entries: the first counts the entries of each line, the second places them.</summary>
    private sealed class Counting(int lines, int blocks, int classes)
    {
        private readonly int[] _next = new int[lines * blocks * classes + 1];

        public void Count(int key) => _next[key + 1]++;

        public int Next(int key) => _next[key]++;

        /// <summary>All are counted; from now on they are placed.</summary>
        public TapList Turn(TapStorage storage)
        {
            for (int key = 1; key < _next.Length; key++) _next[key] += _next[key - 1];
            return new TapList((int[])_next.Clone(), blocks, storage);
        }
    }
}
