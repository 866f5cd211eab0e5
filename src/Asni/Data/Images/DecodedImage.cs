using Asni.Tensors;
using StbImageSharp;

namespace Asni.Data.Images;

/// <summary>What is taken of a decoded image.</summary>
internal static class DecodedImage
{
    [ThreadStatic]
    private static ImageResampler? _resampler;

    /// <summary>For evaluation.</summary>
    public static void TakeMiddle(this ImageResult image, int width, int height, Span<byte> chw)
    {
        (int newWidth, int newHeight, PixelBox window) = ImageParts.Center(image.Width, image.Height, width, height);
        image.Resample(new PixelBox(0, 0, image.Width, image.Height), newWidth, newHeight, window, chw);
    }

    /// <summary>As it is, but for its size.</summary>
    public static void TakeAll(this ImageResult image, int width, int height, Span<byte> chw) =>
        image.Resample(new PixelBox(0, 0, image.Width, image.Height), width, height, new PixelBox(0, 0, width, height), chw);

    /// <summary>For training.</summary>
    public static void TakePart(this ImageResult image, SplitMix64 random, int width, int height, Span<byte> chw) =>
        image.Resample(ImageParts.Random(image.Width, image.Height, random), width, height, new PixelBox(0, 0, width, height), chw);

    private static void Resample(this ImageResult image, PixelBox part, int width, int height, PixelBox window, Span<byte> chw) =>
        (_resampler ??= new ImageResampler()).Run(image.Data, image.Width, part, width, height, window, chw);
}
