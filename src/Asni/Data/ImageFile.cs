using Asni.Data.Images;
using Asni.Formats;
using Asni.Tensors;

namespace Asni.Data;

/// <summary>Reads a JPEG, PNG, BMP or WebP file as networks see it in evaluation.</summary>
public static class ImageFile
{
    /// <summary>Of a file: its bytes are held in memory.</summary>
    private const int MaxBytes = 1 << 30;

    /// <summary>Colours become luma where <paramref name="shape"/> has one channel.</summary>
    /// <param name="shape">1 or 3 channels, and any size.</param>
    /// <param name="wholeImage">
    /// The whole image, brought to the shape's size, as networks of datasets of one size see it; otherwise the middle of the image brought to a size whose shorter side is
    /// 8/7 of the longer one of the shape (256 for 224), as those of ImageNet and of folders of images do.
    /// </param>
    /// <param name="chw">8-bit pixels; <see cref="Normalization.Apply"/> makes of them what a network reads.</param>
    /// <exception cref="AsniException">The file cannot be read or decoded.</exception>
    /// <exception cref="ArgumentException">Another number of channels, or of pixels than the shape has.</exception>
    public static void Read(string path, Chw shape, bool wholeImage, Span<byte> chw)
    {
        CheckShape(shape, chw);
        using DecodedImage image = Decode(path);
        Put(image, shape, wholeImage, chw);
    }

    /// <summary>The same for a file that is in memory.</summary>
    /// <param name="file">The bytes of the file.</param>
    /// <param name="name">What messages call it.</param>
    /// <inheritdoc cref="Read(string, Chw, bool, Span{byte})"/>
    public static void Read(byte[] file, string name, Chw shape, bool wholeImage, Span<byte> chw)
    {
        CheckShape(shape, chw);
        using DecodedImage image = Decode(file, name);
        Put(image, shape, wholeImage, chw);
    }

    private static void CheckShape(Chw shape, Span<byte> chw)
    {
        if (shape.Channels is not (1 or 3)) throw new ArgumentException($"an image has 1 or 3 channels, not those of {shape}", nameof(shape));
        if (chw.Length != shape.Elements) throw new ArgumentException($"{chw.Length} pixels are not those of {shape}", nameof(chw));
    }

    private static void Put(DecodedImage image, Chw shape, bool wholeImage, Span<byte> chw)
    {
        if (shape.Channels == 3)
        {
            Take(image, shape, wholeImage, chw);
            return;
        }
        var rgb = new byte[3 * shape.Positions];
        Take(image, shape, wholeImage, rgb);
        // ITU-R 601-2.
        for (int i = 0; i < chw.Length; i++) chw[i] = (byte)((299 * rgb[i] + 587 * rgb[i + chw.Length] + 114 * rgb[i + 2 * chw.Length] + 500) / 1000);
    }

    private static void Take(DecodedImage image, Chw shape, bool wholeImage, Span<byte> rgb)
    {
        if (wholeImage) image.TakeAll(shape.Width, shape.Height, rgb);
        else image.TakeMiddle(shape.Width, shape.Height, rgb);
    }

    /// <summary>The caller's to dispose.</summary>
    internal static DecodedImage Decode(string path) => Decode(Bytes(path), $"'{path}'");

    private static DecodedImage Decode(byte[] file, string name)
    {
        try
        {
            return ImageDecoder.Decode(file);
        }
        catch (Exception e) when (e is not OutOfMemoryException)
        {
            throw new AsniException($"{name} cannot be decoded as JPEG, PNG, BMP or WebP image: {e.Message.ReplaceLineEndings(" ").TrimEnd('.')}.", e);
        }
    }

    private static byte[] Bytes(string path)
    {
        if (Directory.Exists(path)) throw new AsniException($"'{path}' is a folder; an image was expected.");
        try
        {
            using FileStream stream = WholeFile.Open(path);
            if (!stream.CanSeek) throw new AsniException($"The image '{path}' cannot be read: it is no file.");
            if (stream.Length > MaxBytes) throw new AsniException($"The image '{path}' is not read: it has more than 1 GiB.");
            var bytes = new byte[stream.Length];
            stream.ReadExactly(bytes);
            return bytes;
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            throw new AsniException($"The image '{path}' cannot be read: {e.Message}", e);
        }
    }
}
