using Asni.Devices;
using Asni.Tensors;

namespace Asni.Cpu.Sparse;

/// <summary>
/// A layer as a sparse matrix: for each line (an output, or an input in the transposed form) its live partners and the places of their
/// values in the HWIO filter; where a convolution has several positions, a weight stands in it several times. Lines are shared among workers
/// by entries. Rebuilt when the mask changes; the values themselves stay in the filter.
/// </summary>
internal sealed class SparseMatrix
{
    private SparseMatrix(int[] starts, int[] partners, int[] places, int[] idle, int workers)
    {
        (Starts, Partners, Places, Idle) = (starts, partners, places, idle);
        Shares = new int[workers + 1];
        int lines = starts.Length - 1, entries = starts[^1];
        for (int worker = 0, line = 0; worker <= workers; worker++)
        {
            // An empty line costs something too: its result must be written.
            while (line < lines && worker < workers && starts[line] + line < ((long)entries + lines) * worker / workers) line++;
            Shares[worker] = worker == workers ? lines : line;
        }
    }

    /// <summary>Line n's entries are Starts[n] .. Starts[n + 1] - 1.</summary>
    public int[] Starts { get; }

    public int[] Partners { get; }
    public int[] Places { get; }

    /// <summary>Worker t takes lines Shares[t] .. Shares[t + 1] - 1.</summary>
    public int[] Shares { get; }

    /// <summary>Places of live weights that meet nothing but padding: their gradient is 0.</summary>
    public int[] Idle { get; }

    public int Entries => Starts[^1];

    /// <summary>Both forms of a mask in PyTorch's order: by output (partners are inputs) and by input (partners are outputs).</summary>
    /// <param name="spec">One group. Its input and output are read flattened as (H, W, C), as activations lie on this device.</param>
    public static (SparseMatrix ByOutput, SparseMatrix ByInput) Create(Mask mask, in ConvolutionSpec spec, int workers)
    {
        Chw output = spec.Output, input = spec.Input;
        var starts = new int[output.Elements + 1];
        var counts = new int[input.Elements + 1];
        var met = new bool[mask.Length];
        foreach ((int line, int partner, int place) in new Products(mask, spec))
        {
            starts[line + 1]++;
            counts[partner + 1]++;
            met[place] = true;
        }
        var idle = new List<int>();
        foreach (Position p in new LivePositions(mask, spec))
            if (!met[p.Weight]) idle.Add(p.Weight);
        for (int line = 1; line < starts.Length; line++) starts[line] += starts[line - 1];
        var next = (int[])starts.Clone();
        var partners = new int[starts[^1]];
        var places = new int[starts[^1]];
        foreach ((int line, int partner, int place) in new Products(mask, spec))
        {
            int at = next[line]++;
            (partners[at], places[at]) = (partner, place);
        }
        return (new SparseMatrix(starts, partners, places, [.. idle], workers), Transpose(counts, starts, partners, places, workers));
    }

    /// <summary>Every product of a live weight and an input: the output, the input, and the weight's place.</summary>
    private struct Products(Mask mask, in ConvolutionSpec spec)
    {
        private readonly Chw _input = spec.Input, _output = spec.Output;
        private readonly int _stride = spec.Stride, _padding = spec.Padding;
        private LivePositions _weights = new(mask, spec);
        private int _position = int.MaxValue;

        public (int Line, int Partner, int Place) Current { get; private set; }
        public readonly Products GetEnumerator() => this;

        public bool MoveNext()
        {
            while (true)
            {
                if (_position >= _output.Positions)
                {
                    if (!_weights.MoveNext()) return false;
                    _position = 0;
                }
                Position weight = _weights.Current;
                (int h, int w) = Math.DivRem(_position, _output.Width);
                int row = h * _stride + weight.Row - _padding, column = w * _stride + weight.Column - _padding;
                int line = _position++ * _output.Channels + weight.Output;
                if (row < 0 || row >= _input.Height || column < 0 || column >= _input.Width) continue;
                Current = (line, (row * _input.Width + column) * _input.Channels + weight.Input, weight.Weight);
                return true;
            }
        }
    }

    private static SparseMatrix Transpose(int[] counts, int[] starts, int[] partners, int[] places, int workers)
    {
        for (int i = 1; i < counts.Length; i++) counts[i] += counts[i - 1];
        var next = (int[])counts.Clone();
        var transposed = new int[partners.Length];
        var moved = new int[partners.Length];
        for (int o = 0; o + 1 < starts.Length; o++)
            for (int k = starts[o]; k < starts[o + 1]; k++)
            {
                int to = next[partners[k]]++;
                (transposed[to], moved[to]) = (o, places[k]);
            }
        return new SparseMatrix(counts, transposed, moved, [], workers);
    }
}
