using Asni.Devices;
using Asni.Tensors;

namespace Asni.Cpu.Sparse;

/// <summary>
/// One direction of a convolution as sums over taps, in a form that holds for both: the destination's rows and columns fall into Step x Step
/// classes by remainder, and within class (a, b)
/// <code>to(line, i * To.Step + a, j * To.Step + b) = sum over the class's taps of w * from(channel, i * From.Step + row, j * From.Step + column).</code>
/// Forward, a source has a stride's steps and the destination one class; backward it is the other way round.
/// </summary>
internal readonly record struct TapGeometry(Chw Source, Chw Target, int SourceStep, int TargetStep, int FirstRow, int LastRow, int FirstColumn, int LastColumn)
{
    /// <summary>y from x: the tap of kernel row kh reads row i * stride + kh - padding.</summary>
    public static TapGeometry Forward(in ConvolutionSpec spec) => new(spec.Input, spec.Output, spec.Stride, 1,
        -spec.Padding, spec.Filter.Height - 1 - spec.Padding, -spec.Padding, spec.Filter.Width - 1 - spec.Padding);

    /// <summary>dx from dy.</summary>
    public static TapGeometry Backward(in ConvolutionSpec spec)
    {
        (int firstRow, int lastRow) = Reach(spec.Filter.Height, spec);
        (int firstColumn, int lastColumn) = Reach(spec.Filter.Width, spec);
        return new(spec.Output, spec.Input, 1, spec.Stride, firstRow, lastRow, firstColumn, lastColumn);
    }

    /// <summary>Rows of the largest class.</summary>
    public int ClassRows => (Target.Height + TargetStep - 1) / TargetStep;

    public int ClassColumns => (Target.Width + TargetStep - 1) / TargetStep;
    public int Classes => TargetStep * TargetStep;

    /// <summary>
    /// Backward, x(i * stride + a) takes part in y(i + offset) through kernel row k when a + padding - k = offset * stride: which class a
    /// the row belongs to, and the offset.
    /// </summary>
    public static (int Class, int Offset) BackwardRow(int k, in ConvolutionSpec spec)
    {
        int a = ((k - spec.Padding) % spec.Stride + spec.Stride) % spec.Stride;
        return (a, (a + spec.Padding - k) / spec.Stride);
    }

    private static (int First, int Last) Reach(int size, in ConvolutionSpec spec)
    {
        int first = int.MaxValue, last = int.MinValue;
        for (int k = 0; k < size; k++)
        {
            int offset = BackwardRow(k, spec).Offset;
            (first, last) = (Math.Min(first, offset), Math.Max(last, offset));
        }
        return (first, last);
    }
}
