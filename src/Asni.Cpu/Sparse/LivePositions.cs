using System.Numerics;
using Asni.Devices;
using Asni.Tensors;

namespace Asni.Cpu.Sparse;

/// <param name="Ordinal">How many live weights come before it.</param>
/// <param name="Weight">Place in the HWIO filter.</param>
internal readonly record struct Position(int Ordinal, int Output, int Input, int Row, int Column, int Weight);

/// <summary>The live positions of a filter in PyTorch's order. No division a weight: there are millions, each time a mask changes.</summary>
internal struct LivePositions(Mask mask, in ConvolutionSpec spec)
{
    private readonly int _width = spec.Filter.Width, _inputs = spec.Filter.In, _outputs = spec.Filter.Out, _fanIn = spec.Filter.FanIn;
    private readonly Divisor _plane = new(spec.Filter.Height * spec.Filter.Width, spec.Filter.FanIn), _row = new(spec.Filter.Width, spec.Filter.Height * spec.Filter.Width);
    private int _word = -1, _ordinal, _output, _firstOfOutput;
    private ulong _bits;

    public Position Current { get; private set; }
    public readonly LivePositions GetEnumerator() => this;

    public bool MoveNext()
    {
        while (_bits == 0)
        {
            if (++_word >= mask.Words.Length) return false;
            _bits = mask.Words[_word];
        }
        int index = checked(_word * 64) + BitOperations.TrailingZeroCount(_bits);
        _bits &= _bits - 1;
        for (; index - _firstOfOutput >= _fanIn; _firstOfOutput += _fanIn) _output++;
        int inOutput = index - _firstOfOutput, input = _plane.Into(inOutput), inPlane = inOutput - input * _plane.Value, row = _row.Into(inPlane);
        int column = inPlane - row * _width;
        Current = new Position(_ordinal++, _output, input, row, column, (inPlane * _inputs + input) * _outputs + _output);
        return true;
    }

    /// <summary>n / value for n below a limit, by a product with the rounded-up reciprocal: exact while limit * value is at most 2^<see cref="Shift"/>.</summary>
    private readonly struct Divisor
    {
        private const int Shift = 36;
        private readonly ulong _reciprocal;

        public Divisor(int value, int limit)
        {
            Value = value;
            if ((long)value * limit > 1L << Shift || limit >= 1 << 27) throw new NotSupportedException($"a filter of {limit} weights an output");
            _reciprocal = ((1UL << Shift) + (ulong)value - 1) / (ulong)value;
        }

        public int Value { get; }

        public int Into(int n) => (int)((ulong)n * _reciprocal >> Shift);
    }
}

/// <summary>One product of a sparse matrix: places in the flattened output and input, and the weight.</summary>
internal readonly record struct Product(int Output, int Input, Position Weight);

/// <summary>Every product of a live weight and an input that is not padding.</summary>
internal struct Products(Mask mask, in ConvolutionSpec spec)
{
    private readonly Chw _input = spec.Input, _output = spec.Output;
    private readonly int _stride = spec.Stride, _padding = spec.Padding;
    /// <summary>How many there are, without going through them.</summary>
    public static long Count(Mask mask, in ConvolutionSpec spec)
    {
        if (spec.Output.Positions == 1 && spec.Padding == 0) return mask.Live;
        long count = 0;
        var columns = new int[spec.Filter.Width];
        var rows = new int[spec.Filter.Height];
        for (int k = 0; k < columns.Length; k++) columns[k] = Inside(k, spec.Output.Width, spec.Input.Width, spec);
        for (int k = 0; k < rows.Length; k++) rows[k] = Inside(k, spec.Output.Height, spec.Input.Height, spec);
        foreach (Position p in new LivePositions(mask, spec)) count += rows[p.Row] * columns[p.Column];
        return count;
    }

    /// <summary>Outputs along an axis for which tap k reads no padding.</summary>
    private static int Inside(int k, int outputs, int inputs, in ConvolutionSpec spec)
    {
        int inside = 0;
        for (int i = 0; i < outputs; i++)
            if (i * spec.Stride + k - spec.Padding is var at && at >= 0 && at < inputs) inside++;
        return inside;
    }

    private LivePositions _weights = new(mask, spec);
    private int _h = int.MaxValue - 1, _w;

    public Product Current { get; private set; }
    public readonly Products GetEnumerator() => this;

    public bool MoveNext()
    {
        while (true)
        {
            if (_h >= _output.Height)
            {
                if (!_weights.MoveNext()) return false;
                (_h, _w) = (0, 0);
            }
            Position weight = _weights.Current;
            int row = _h * _stride + weight.Row - _padding, column = _w * _stride + weight.Column - _padding;
            int output = (_h * _output.Width + _w) * _output.Channels + weight.Output;
            if (++_w == _output.Width) (_h, _w) = (_h + 1, 0);
            if (row < 0 || row >= _input.Height || column < 0 || column >= _input.Width) continue;
            Current = new Product(output, (row * _input.Width + column) * _input.Channels + weight.Input, weight);
            return true;
        }
    }
}
