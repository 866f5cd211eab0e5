using System.Numerics;
using Asni.Devices;
using Asni.Tensors;

namespace Asni.Cpu.Sparse;

/// <param name="Ordinal">How many live weights come before it.</param>
/// <param name="Weight">Place in the HWIO filter.</param>
/// <param name="Tap">Row * width + column of the filter.</param>
internal readonly record struct Position(int Ordinal, int Output, int Input, int Tap, int Weight);

/// <summary>The live positions of a filter's outputs in PyTorch's order. No division a weight: there are millions, each time a mask changes.</summary>
internal struct LivePositions
{
    private readonly Mask _mask;
    private readonly int _inputs, _outputs, _fanIn, _end;
    private readonly Divisor _plane;
    private int _word, _ordinal, _output, _firstOfOutput;
    private ulong _bits;

    public LivePositions(Mask mask, in ConvolutionSpec spec) : this(mask, spec, 0, spec.Filter.Out) { }

    /// <param name="firstOutput">The first of the outputs.</param>
    /// <param name="endOutput">The one behind the last.</param>
    public LivePositions(Mask mask, in ConvolutionSpec spec, int firstOutput, int endOutput)
    {
        (_inputs, _outputs, _fanIn) = (spec.Filter.In, spec.Filter.Out, spec.Filter.FanIn);
        _plane = new(spec.Filter.Height * spec.Filter.Width, _fanIn);
        _mask = mask;
        _end = checked(endOutput * _fanIn);
        (_output, _firstOfOutput) = (firstOutput, checked(firstOutput * _fanIn));
        if (_firstOfOutput >= _end)
        {
            _word = mask.Words.Length;
            return;
        }
        _word = _firstOfOutput / 64;
        ulong before = (1UL << _firstOfOutput) - 1; // of the first word
        ReadOnlySpan<ulong> words = mask.Words;
        _bits = words[_word] & ~before;
        for (int i = 0; i < _word; i++) _ordinal += BitOperations.PopCount(words[i]);
        _ordinal += BitOperations.PopCount(words[_word] & before);
    }

    public Position Current { get; private set; }
    public readonly LivePositions GetEnumerator() => this;

    public bool MoveNext()
    {
        while (_bits == 0)
        {
            if (++_word >= _mask.Words.Length) return false;
            _bits = _mask.Words[_word];
        }
        int index = checked(_word * 64) + BitOperations.TrailingZeroCount(_bits);
        if (index >= _end) return false;
        _bits &= _bits - 1;
        for (; index - _firstOfOutput >= _fanIn; _firstOfOutput += _fanIn) _output++;
        int inOutput = index - _firstOfOutput, input = _plane.Into(inOutput), tap = inOutput - input * _plane.Value;
        Current = new Position(_ordinal++, _output, input, tap, (tap * _inputs + input) * _outputs + _output);
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

/// <summary>
/// For each tap of a filter, the pairs of positions that it joins: an output's and that of the input it reads there, where that is not padding.
/// </summary>
internal sealed class TapPairs
{
    private readonly int[] _starts;

    public TapPairs(in ConvolutionSpec spec)
    {
        var outputs = new List<int>();
        var inputs = new List<int>();
        _starts = new int[spec.Filter.Height * spec.Filter.Width + 1];
        for (int tap = 0; tap < _starts.Length - 1; tap++)
        {
            for (int h = 0; h < spec.Output.Height; h++)
                for (int w = 0; w < spec.Output.Width; w++)
                {
                    int row = h * spec.Stride + tap / spec.Filter.Width - spec.Padding, column = w * spec.Stride + tap % spec.Filter.Width - spec.Padding;
                    if (row < 0 || row >= spec.Input.Height || column < 0 || column >= spec.Input.Width) continue;
                    outputs.Add(h * spec.Output.Width + w);
                    inputs.Add(row * spec.Input.Width + column);
                }
            _starts[tap + 1] = outputs.Count;
        }
        (Outputs, Inputs) = ([.. outputs], [.. inputs]);
    }

    /// <summary>Positions of the output, and beside each the input's.</summary>
    public int[] Outputs { get; }

    public int[] Inputs { get; }

    public (int First, int End) GetRange(int tap) => (_starts[tap], _starts[tap + 1]);

    /// <summary>Products of live weights and inputs that are not padding.</summary>
    public long Count(Mask mask, in ConvolutionSpec spec)
    {
        if (_starts[^1] == _starts.Length - 1) return mask.Live;
        long count = 0;
        foreach (Position p in new LivePositions(mask, spec)) count += _starts[p.Tap + 1] - _starts[p.Tap];
        return count;
    }
}
