using Asni.Devices;
using Asni.Networks;
using Asni.Tensors;

namespace Asni.Bench;

/// <summary>
/// Single elements of a convolution's three results, each by the sum that defines it, in double: the first and the last element, where the
/// padding is, and some between them.
/// </summary>
internal sealed class ConvolutionProbe(ConvolutionSpec spec, string layer, float[] x, float[] w, float[] dy)
{
    private const int Probes = 24;

    // Rounding of a blocked fp32 sum stays far under this share of the sum of magnitudes; a term that is missing or doubled does not.
    private const double Tolerance = 2e-6;

    private double _sum, _magnitudes;

    public void Check(float[] y, float[] dw, float[] dx)
    {
        FilterShape f = spec.Filter;
        Chw input = spec.Input, output = spec.Output;
        int outputs = f.Out / spec.Groups;
        Compare(y, "the output", null, i =>
        {
            (int n, int k, int row, int column) = Split(i, output.Channels, output.Height, output.Width);
            for (int c = 0; c < f.In; c++)
                for (int r = 0; r < f.Height; r++)
                    for (int s = 0; s < f.Width; s++) Tap(n, k, c, r, s, row, column, (inX, inW, _) => x[inX] * (double)w[inW]);
        });
        Compare(dw, "the weight gradient", Array.FindAll([.. Enumerable.Range(0, w.Length)], i => w[i] != 0), i =>
        {
            (int k, int c, int r, int s) = Split(i, f.In, f.Height, f.Width);
            for (int n = 0; n < spec.Batch; n++)
                for (int row = 0; row < output.Height; row++)
                    for (int column = 0; column < output.Width; column++)
                        Tap(n, k, c, r, s, row, column, (inX, _, inY) => x[inX] * (double)dy[inY]);
        });
        Compare(dx, "the data gradient", null, i =>
        {
            (int n, int channel, int h, int v) = Split(i, input.Channels, input.Height, input.Width);
            (int group, int c) = Math.DivRem(channel, f.In);
            for (int k = group * outputs; k < (group + 1) * outputs; k++)
                for (int r = 0; r < f.Height; r++)
                    for (int s = 0; s < f.Width; s++)
                    {
                        int row = h + spec.Padding - r, column = v + spec.Padding - s;
                        if (row % spec.Stride != 0 || column % spec.Stride != 0) continue;
                        Tap(n, k, c, r, s, row / spec.Stride, column / spec.Stride, (_, inW, inY) => w[inW] * (double)dy[inY]);
                    }
        });
    }

    /// <param name="among">Indices of the elements that are defined: of the weight gradient those of live weights. Null: all.</param>
    private void Compare(float[] computed, string what, int[]? among, Action<long> sum)
    {
        var random = new SplitMix64(4);
        int count = among?.Length ?? computed.Length;
        for (int probe = 0; probe < Probes; probe++)
        {
            int i = probe == 0 ? 0 : probe == 1 ? count - 1 : random.Next(count);
            if (among is not null) i = among[i];
            _sum = _magnitudes = 0;
            sum(i);
            Answers.Near(computed[i], _sum, Tolerance * _magnitudes, $"{what} of {layer} at element {i}");
        }
    }

    /// <summary>Adds the product that belongs to one tap of one output position, nothing where the tap sees padding.</summary>
    private void Tap(int n, int k, int c, int r, int s, int row, int column, Func<long, long, long, double> product)
    {
        Chw input = spec.Input, output = spec.Output;
        int h = row * spec.Stride - spec.Padding + r, v = column * spec.Stride - spec.Padding + s;
        if (!Inside(row, column, output) || !Inside(h, v, input)) return;
        // Of channel c of the output's group.
        double term = product(Join(n, k / (spec.Filter.Out / spec.Groups) * spec.Filter.In + c, h, v, input.Channels, input.Height, input.Width),
            Join(k, c, r, s, spec.Filter.In, spec.Filter.Height, spec.Filter.Width),
            Join(n, k, row, column, output.Channels, output.Height, output.Width));
        _sum += term;
        _magnitudes += Math.Abs(term);
    }

    private static bool Inside(int row, int column, Chw shape) => row >= 0 && row < shape.Height && column >= 0 && column < shape.Width;

    private static (int, int, int, int) Split(long i, int second, int third, int fourth) =>
        ((int)(i / fourth / third / second), (int)(i / fourth / third % second), (int)(i / fourth % third), (int)(i % fourth));

    private static long Join(long first, long second, long third, long fourth, int seconds, int thirds, int fourths) =>
        ((first * seconds + second) * thirds + third) * fourths + fourth;
}
