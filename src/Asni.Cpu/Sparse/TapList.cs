using Asni.Devices;
using Asni.Tensors;

namespace Asni.Cpu.Sparse;

/// <summary>One live weight: where its operand lies from the place of the result, and its value.</summary>
internal struct Tap
{
    public int Offset;
    public float Value;
}

/// <summary>
/// The live weights of a filter by class of results, block of source channels, and line: the entries of line l are
/// Starts[(class * ChannelBlocks + block) * lines + l] up to the next start. Built anew when the mask changes; values are refreshed before
/// each use.
/// </summary>
internal sealed unsafe class TapList : IDisposable
{
    private readonly CpuBuffer _taps;

    private TapList(int[] starts, int channelBlocks)
    {
        (Starts, ChannelBlocks) = (starts, channelBlocks);
        Places = new int[starts[^1]];
        _taps = new CpuBuffer((long)sizeof(Tap) * starts[^1]);
    }

    public int[] Starts { get; }
    public int ChannelBlocks { get; }

    /// <summary>Where each tap's weight is in the HWIO filter.</summary>
    public int[] Places { get; }

    public Tap* Taps => (Tap*)_taps.Pointer;
    public int Live => Places.Length;

    /// <summary>Lines are outputs.</summary>
    /// <param name="mask">In PyTorch's order, OIHW.</param>
    /// <param name="blockChannels">Channels of the source in a block.</param>
    public static TapList Forward(Mask mask, in ConvolutionSpec spec, in Planes from, int blockChannels)
    {
        int lines = spec.Filter.Out, outputsOfGroup = spec.Filter.Out / spec.Groups, blocks = (from.Channels + blockChannels - 1) / blockChannels;
        var order = new Counting(lines, blocks, 1);
        for (int pass = 0; pass < 2; pass++, order.Turn())
            foreach (Position p in new LivePositions(mask, spec))
            {
                int channel = p.Output / outputsOfGroup * spec.Filter.In + p.Input;
                if (order.Place(0, channel / blockChannels, p.Output, p.Weight, out int at)) order.List!.Taps[at].Offset = from.Offset(channel, p.Row, p.Column);
            }
        return order.List!;
    }

    /// <summary>Lines are inputs, by class of row and column.</summary>
    public static TapList Backward(Mask mask, in ConvolutionSpec spec, in Planes from, int blockChannels)
    {
        TapGeometry geometry = TapGeometry.Backward(spec);
        int lines = spec.Input.Channels, outputsOfGroup = spec.Filter.Out / spec.Groups, blocks = (from.Channels + blockChannels - 1) / blockChannels;
        var order = new Counting(lines, blocks, geometry.Classes);
        for (int pass = 0; pass < 2; pass++, order.Turn())
            foreach (Position p in new LivePositions(mask, spec))
            {
                (int rowClass, int row) = TapGeometry.BackwardRow(p.Row, spec);
                (int columnClass, int column) = TapGeometry.BackwardRow(p.Column, spec);
                int line = p.Output / outputsOfGroup * spec.Filter.In + p.Input;
                if (order.Place(rowClass * spec.Stride + columnClass, p.Output / blockChannels, line, p.Weight, out int at))
                    order.List!.Taps[at].Offset = from.Offset(p.Output, row - geometry.FirstRow, column - geometry.FirstColumn);
            }
        return order.List!;
    }

    /// <summary>
    /// A layer as a sparse matrix over its flattened input, (H, W, C) as activations lie on this device: lines are outputs or, transposed,
    /// inputs, and their partners lie <paramref name="pitch"/> floats apart. A weight of a convolution stands in it once for each position where
    /// it meets more than padding.
    /// </summary>
    /// <param name="spec">One group.</param>
    public static TapList Unrolled(Mask mask, in ConvolutionSpec spec, int pitch, bool transposed)
    {
        var order = new Counting(transposed ? spec.Input.Elements : spec.Output.Elements, 1, 1);
        for (int pass = 0; pass < 2; pass++, order.Turn())
            foreach (Product p in new Products(mask, spec))
                if (order.Place(0, 0, transposed ? p.Input : p.Output, p.Weight.Weight, out int at))
                    order.List!.Taps[at].Offset = checked((transposed ? p.Output : p.Input) * pitch);
        return order.List!;
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

    public void Dispose() => _taps.Dispose();

    private readonly struct RefreshBody(float* weights, TapList list) : IParallelBody
    {
        public void Execute(int worker, int workers)
        {
            (long first, long last) = Share.Of(list.Live, worker, workers);
            list.Refresh(weights, (int)first, (int)last);
        }
    }

    /// <summary>A counting sort in two passes over the same entries: the first counts the entries of each line, the second places them.</summary>
    private sealed class Counting(int lines, int blocks, int classes)
    {
        private readonly int[] _next = new int[lines * blocks * classes + 1];

        /// <summary>Null in the first pass.</summary>
        public TapList? List { get; private set; }

        public bool Place(int @class, int block, int line, int weight, out int at)
        {
            int key = (@class * blocks + block) * lines + line;
            at = List is null ? _next[key + 1]++ : _next[key]++;
            if (List is null) return false;
            List.Places[at] = weight;
            return true;
        }

        public void Turn()
        {
            if (List is not null) return;
            for (int key = 1; key < _next.Length; key++) _next[key] += _next[key - 1];
            List = new TapList((int[])_next.Clone(), blocks);
        }
    }
}
