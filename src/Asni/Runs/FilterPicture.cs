using Asni.Formats;
using Asni.Networks;

namespace Asni.Runs;

/// <summary>
/// The first filters of a weight tensor side by side: three input channels as colours, else the first channel, red below 0, blue above.
/// </summary>
internal static class FilterPicture
{
    private const int MaxFilters = 64, Columns = 8, Gap = 1, SmallestSide = 24;

    public static PngImage Draw(Parameter weight, float[] values)
    {
        FilterShape filter = weight.Filter;
        int shown = Math.Min(filter.Out, MaxFilters), columns = Math.Min(shown, Columns), rows = (shown + columns - 1) / columns;
        int zoom = Math.Max(1, SmallestSide / Math.Max(filter.Height, filter.Width));
        int cellHeight = filter.Height * zoom + Gap, cellWidth = filter.Width * zoom + Gap;
        int width = columns * cellWidth + Gap, height = rows * cellHeight + Gap;
        var rgb = new byte[3 * width * height];
        Array.Fill(rgb, (byte)128);
        float max = values.Where(float.IsFinite).Select(Math.Abs).DefaultIfEmpty(0).Max();
        for (int n = 0; n < shown; n++)
            for (int y = 0; y < filter.Height * zoom; y++)
                for (int x = 0; x < filter.Width * zoom; x++)
                {
                    int at = 3 * (((n / columns) * cellHeight + Gap + y) * width + n % columns * cellWidth + Gap + x);
                    Pixel(filter, values.AsSpan(n * filter.FanIn, filter.FanIn), y / zoom, x / zoom, max, rgb.AsSpan(at, 3));
                }
        return new PngImage(width, height, rgb);
    }

    private static void Pixel(FilterShape filter, ReadOnlySpan<float> values, int y, int x, float max, Span<byte> rgb)
    {
        int at = y * filter.Width + x, channel = filter.Height * filter.Width;
        if (filter.In == 3)
        {
            for (int c = 0; c < 3; c++) rgb[c] = Byte(0.5f + 0.5f * Scaled(values[c * channel + at], max));
            return;
        }
        float v = Scaled(values[at], max);
        rgb[0] = Byte(v > 0 ? 1 - v : 1);
        rgb[1] = Byte(1 - Math.Abs(v));
        rgb[2] = Byte(v < 0 ? 1 + v : 1);
    }

    private static float Scaled(float value, float max) => max > 0 && float.IsFinite(value) ? value / max : 0;

    private static byte Byte(float share) => (byte)Math.Round(255 * Math.Clamp(share, 0, 1));
}
