namespace Asni.Data.Images;

/// <summary>A part of an image, in pixels.</summary>
internal readonly record struct PixelBox(int Left, int Top, int Width, int Height);

/// <summary>
/// Brings a part of an image to another size as Pillow's BILINEAR does, to the bit (its Resample.c: a triangle filter as wide as the reduction, in fixed point, first
/// along rows and then along columns, rounded to 8 bits after each): accuracies of networks that were trained by others hold only on the pixels that those saw.
/// One instance a thread.
/// </summary>
internal sealed class ImageResampler
{
    /// <summary>Of results; the source has a fourth, which is passed over.</summary>
    private const int Channels = 3, SourceChannels = 4;

    /// <summary>Of a weight: 8 bits are the pixel's, 2 are spare for sums.</summary>
    private const int FractionBits = 32 - 8 - 2;

    private readonly Weights _columns = new(), _rows = new();
    private byte[] _between = [];

    /// <param name="rgba">8-bit pixels (row, column, channel), four channels of which the first three are taken.</param>
    /// <param name="imageWidth">Pixels of one of its rows.</param>
    /// <param name="part">What is taken of it, as if cut out first.</param>
    /// <param name="width">The part's new width.</param>
    /// <param name="height">The part's new height.</param>
    /// <param name="window">What is computed of the result.</param>
    /// <param name="chw">The window as (channel, row, column).</param>
    public void Run(ReadOnlySpan<byte> rgba, int imageWidth, PixelBox part, int width, int height, PixelBox window, Span<byte> chw)
    {
        _columns.Set(part.Width, width, window.Left, window.Width);
        _rows.Set(part.Height, height, window.Top, window.Height);
        int first = _rows.First(0), last = _rows.End(window.Height - 1);
        int pitch = window.Width * Channels;
        if (_between.Length < (last - first) * pitch) _between = new byte[(last - first) * pitch];
        for (int row = first; row < last; row++)
            AlongRow(rgba[(((part.Top + row) * imageWidth + part.Left) * SourceChannels)..], _between.AsSpan((row - first) * pitch, pitch));
        for (int y = 0; y < window.Height; y++) AlongColumns(y, first, pitch, window, chw);
    }

    private void AlongRow(ReadOnlySpan<byte> from, Span<byte> to)
    {
        for (int x = 0; x < to.Length / Channels; x++)
        {
            ReadOnlySpan<int> weights = _columns.GetWeights(x);
            int r = 1 << FractionBits - 1, g = r, b = r;
            ReadOnlySpan<byte> pixel = from.Slice(_columns.First(x) * SourceChannels, weights.Length * SourceChannels);
            for (int k = 0; k < weights.Length; k++)
            {
                int w = weights[k];
                r += pixel[SourceChannels * k] * w;
                g += pixel[SourceChannels * k + 1] * w;
                b += pixel[SourceChannels * k + 2] * w;
            }
            (to[3 * x], to[3 * x + 1], to[3 * x + 2]) = (Round(r), Round(g), Round(b));
        }
    }

    private void AlongColumns(int y, int first, int pitch, PixelBox window, Span<byte> chw)
    {
        ReadOnlySpan<int> weights = _rows.GetWeights(y);
        ReadOnlySpan<byte> from = _between.AsSpan((_rows.First(y) - first) * pitch, weights.Length * pitch);
        for (int channel = 0; channel < Channels; channel++)
        {
            Span<byte> to = chw.Slice((channel * window.Height + y) * window.Width, window.Width);
            for (int x = 0; x < to.Length; x++)
            {
                int sum = 1 << FractionBits - 1;
                for (int k = 0, at = x * Channels + channel; k < weights.Length; k++, at += pitch) sum += from[at] * weights[k];
                to[x] = Round(sum);
            }
        }
    }

    private static byte Round(int sum) => (byte)Math.Clamp(sum >> FractionBits, 0, 255);

    /// <summary>Along one axis: which source pixels each result is a mean of, and their shares.</summary>
    private sealed class Weights
    {
        private int[] _first = [], _count = [], _weights = [];
        private double[] _exact = [];
        private int _max;

        public int First(int result) => _first[result];
        public int End(int result) => _first[result] + _count[result];
        public ReadOnlySpan<int> GetWeights(int result) => _weights.AsSpan(result * _max, _count[result]);

        /// <param name="size">Source pixels.</param>
        /// <param name="newSize">Of all results.</param>
        /// <param name="start">The first that is wanted.</param>
        /// <param name="results">How many are.</param>
        public void Set(int size, int newSize, int start, int results)
        {
            double scale = (double)size / newSize, reach = Math.Max(scale, 1);
            _max = 2 * (int)Math.Ceiling(reach) + 1;
            if (_first.Length < results) (_first, _count) = (new int[results], new int[results]);
            if (_weights.Length < results * _max) _weights = new int[results * _max];
            if (_exact.Length < _max) _exact = new double[_max];
            for (int i = 0; i < results; i++)
            {
                double center = (start + i + 0.5) * scale, sum = 0;
                int first = Math.Max(0, (int)(center - reach + 0.5)), count = Math.Min(size, (int)(center + reach + 0.5)) - first;
                for (int k = 0; k < count; k++)
                {
                    double distance = Math.Abs((k + first - center + 0.5) / reach);
                    sum += _exact[k] = Math.Max(0, 1 - distance);
                }
                for (int k = 0; k < count; k++) _weights[i * _max + k] = (int)(0.5 + _exact[k] / sum * (1 << FractionBits));
                (_first[i], _count[i]) = (first, count);
            }
        }
    }
}
