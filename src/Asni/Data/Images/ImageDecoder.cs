using SkiaSharp;

namespace Asni.Data.Images;

/// <summary>
/// Decodes images by Skia's codecs (libjpeg-turbo, libpng, libwebp), once the file's own headers are known to ask for no more than it may: a file that is cut off,
/// fails a checksum, or has a size that its bytes cannot hold is refused before memory is taken.
/// </summary>
internal static class ImageDecoder
{
    /// <summary>Of memory while decoding: 4 of the result, and what progressive and interlaced images need beside it.</summary>
    private const int BytesPerPixel = 8;

    /// <summary>Along a side: sums of positions stay far from the largest int.</summary>
    private const int LongestSide = 65_535;

    /// <param name="file">The whole file.</param>
    /// <returns>Pixels as red, green, blue, alpha (not multiplied into the colours), 8 bits each; the caller's to dispose.</returns>
    /// <exception cref="InvalidDataException">No image that is read, or a damaged one; the message is a clause about it.</exception>
    public static unsafe DecodedImage Decode(ReadOnlySpan<byte> file)
    {
        ImageFormat format = ImageSignature.Detect(file);
        (int width, int height) = format switch
        {
            ImageFormat.Jpeg => JpegMarkers.Check(file),
            ImageFormat.Png => PngChunks.Check(file),
            ImageFormat.Bmp => BmpHeader.Check(file),
            _ => WebPHeader.Check(file),
        };
        if (width < 1 || height < 1) throw new InvalidDataException($"it has {width} x {height} pixels");
        if (Math.Max(width, height) > LongestSide) throw new InvalidDataException($"a side of it has more than {LongestSide:N0} pixels");
        new ReadBudget(file.Length, what => new InvalidDataException(what)).Take((UInt128)width * (UInt128)height, BytesPerPixel, $"its {width} x {height} pixels");
        fixed (byte* bytes = file)
        {
            using SKData data = SKData.Create((nint)bytes, file.Length);
            using SKCodec codec = SKCodec.Create(data) ?? throw new InvalidDataException("its header is damaged");
            if (codec.Info.Width != width || codec.Info.Height != height) throw new InvalidDataException("its headers say different sizes");
            return Pixels(codec, width, height);
        }
    }

    private static DecodedImage Pixels(SKCodec codec, int width, int height)
    {
        // Without a colour space: the numbers of the file, as networks were trained on them.
        var info = new SKImageInfo(width, height, SKColorType.Rgba8888, SKAlphaType.Unpremul);
        var pixels = new SKBitmap();
        try
        {
            if (!pixels.TryAllocPixels(info)) throw new OutOfMemoryException();
            SKCodecResult result = codec.GetPixels(info, pixels.GetPixels());
            return result switch
            {
                SKCodecResult.Success => new DecodedImage(pixels),
                SKCodecResult.IncompleteInput => throw new InvalidDataException("it ends before the image does"),
                _ => throw new InvalidDataException("it is damaged"),
            };
        }
        catch
        {
            pixels.Dispose();
            throw;
        }
    }
}
