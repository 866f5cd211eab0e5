using Asni.Devices;
using Asni.Tensors;

namespace Asni.Tests.Reference;

internal sealed class ReferencePooling(PoolingSpec spec) : PoolingOperation(spec)
{
    /// <summary>Max pooling: the input element that won each output's window.</summary>
    private readonly int[] _winners = new int[spec.Kind == PoolingKind.Max ? spec.Batch * spec.Output.Elements : 0];

    public override void Forward(DeviceTensor x, DeviceTensor y)
    {
        Span<double> input = ReferenceBuffer.Doubles(x), output = ReferenceBuffer.Doubles(y);
        for (int i = 0; i < output.Length; i++)
        {
            if (Spec.Kind == PoolingKind.GlobalAverage)
            {
                double sum = 0;
                foreach (double value in input.Slice(i * Spec.Input.Positions, Spec.Input.Positions)) sum += value;
                output[i] = sum / Spec.Input.Positions;
            }
            else
            {
                _winners[i] = Winner(input, i);
                output[i] = input[_winners[i]];
            }
        }
    }

    public override void Backward(DeviceTensor dy, bool accumulate, DeviceTensor dx)
    {
        Span<double> gradient = ReferenceBuffer.Doubles(dy), input = ReferenceBuffer.Doubles(dx);
        if (!accumulate) input.Clear();
        for (int i = 0; i < gradient.Length; i++)
        {
            if (Spec.Kind == PoolingKind.GlobalAverage)
                foreach (ref double value in input.Slice(i * Spec.Input.Positions, Spec.Input.Positions))
                    value += gradient[i] / Spec.Input.Positions;
            else
                input[_winners[i]] += gradient[i];
        }
    }

    private int Winner(ReadOnlySpan<double> input, int output)
    {
        int plane = output / Spec.Output.Positions;
        int top = output % Spec.Output.Positions / Spec.Output.Width * Spec.Stride - Spec.Padding;
        int left = output % Spec.Output.Width * Spec.Stride - Spec.Padding;
        int winner = -1;
        for (int y = Math.Max(top, 0); y < Math.Min(top + Spec.Size, Spec.Input.Height); y++)
            for (int x = Math.Max(left, 0); x < Math.Min(left + Spec.Size, Spec.Input.Width); x++)
            {
                int place = plane * Spec.Input.Positions + y * Spec.Input.Width + x;
                if (winner < 0 || input[place] > input[winner]) winner = place;
            }
        return winner;
    }
}
