using System.Numerics;
using Asni.Devices;
using Asni.Tensors;

namespace Asni.Cpu.Sparse;

/// <param name="Ordinal">How many live weights come before it.</param>
/// <param name="Weight">Place in the HWIO filter.</param>
internal readonly record struct Position(int Ordinal, int Output, int Input, int Row, int Column, int Weight);

/// <summary>The live positions of a filter in PyTorch's order.</summary>
internal struct LivePositions(Mask mask, in ConvolutionSpec spec)
{
    private readonly int _height = spec.Filter.Height, _width = spec.Filter.Width, _inputs = spec.Filter.In, _outputs = spec.Filter.Out;
    private int _word = -1, _ordinal;
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
        (int rest, int column) = Math.DivRem(index, _width);
        (rest, int row) = Math.DivRem(rest, _height);
        (int output, int input) = Math.DivRem(rest, _inputs);
        Current = new Position(_ordinal++, output, input, row, column, ((row * _width + column) * _inputs + input) * _outputs + output);
        return true;
    }
}

/// <summary>One product of a sparse matrix: places in the flattened output and input, and the weight.</summary>
internal readonly record struct Product(int Output, int Input, Position Weight);

/// <summary>Every product of a live weight and an input that is not padding.</summary>
internal struct Products(Mask mask, in ConvolutionSpec spec)
{
    private readonly Chw _input = spec.Input, _output = spec.Output;
    private readonly int _stride = spec.Stride, _padding = spec.Padding;
    private LivePositions _weights = new(mask, spec);
    private int _position = int.MaxValue;

    public Product Current { get; private set; }
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
            int output = _position++ * _output.Channels + weight.Output;
            if (row < 0 || row >= _input.Height || column < 0 || column >= _input.Width) continue;
            Current = new Product(output, (row * _input.Width + column) * _input.Channels + weight.Input, weight);
            return true;
        }
    }
}
