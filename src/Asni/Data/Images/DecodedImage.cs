using Asni.Tensors;
using SkiaSharp;

namespace Asni.Data.Images;

/// <summary>A decoded image, and what is taken of it. Its pixels lie outside of the garbage collector's memory.</summary>
internal sealed class DecodedImage(SKBitmap pixels) : IDisposable
{
    [ThreadStatic]
    private static ImageResampler? _resampler;

    public int Width => pixels.Width;
    public int Height => pixels.Height;

    /// <summary>8-bit red, green, blue and alpha (row, column, channel).</summary>
    public ReadOnlySpan<byte> Rgba => pixels.GetPixelSpan();

    /// <summary>For evaluation.</summary>
    public void TakeMiddle(int width, int height, Span<byte> chw)
    {
        (int newWidth, int newHeight, PixelBox window) = ImageParts.Center(Width, Height, width, height);
        Resample(new PixelBox(0, 0, Width, Height), newWidth, newHeight, window, chw);
    }

    /// <summary>As it is, but for its size.</summary>
    public void TakeAll(int width, int height, Span<byte> chw) =>
        Resample(new PixelBox(0, 0, Width, Height), width, height, new PixelBox(0, 0, width, height), chw);

    /// <summary>For training.</summary>
    public void TakePart(SplitMix64 random, int width, int height, Span<byte> chw) =>
        Resample(ImageParts.Random(Width, Height, random), width, height, new PixelBox(0, 0, width, height), chw);

    public void Dispose() => pixels.Dispose();

    private void Resample(PixelBox part, int width, int height, PixelBox window, Span<byte> chw) =>
        (_resampler ??= new ImageResampler()).Run(Rgba, Width, part, width, height, window, chw);
}
