using Asni.Data.Images;
using Asni.Tensors;
using StbImageSharp;

namespace Asni.Data;

/// <summary>Reads a JPEG, PNG or BMP file as networks see it in evaluation.</summary>
public static class ImageFile
{
    /// <summary>
    /// The middle of an image: brought to a size whose shorter side is 8/7 of the longer one of <paramref name="shape"/> (256 for 224), then cut; colours become
    /// luma where the shape has one channel.
    /// </summary>
    /// <param name="shape">1 or 3 channels, and any size.</param>
    /// <param name="chw">8-bit pixels; <see cref="Normalization.Apply"/> makes of them what a network reads.</param>
    /// <exception cref="AsniException">The file cannot be read, or is not a whole image.</exception>
    /// <exception cref="ArgumentException">Another number of channels, or of pixels than the shape has.</exception>
    public static void Read(string path, Chw shape, Span<byte> chw)
    {
        if (shape.Channels is not (1 or 3)) throw new ArgumentException($"an image has 1 or 3 channels, not those of {shape}", nameof(shape));
        if (chw.Length != shape.Elements) throw new ArgumentException($"{chw.Length} pixels are not those of {shape}", nameof(chw));
        ImageResult image = Decode(path);
        if (shape.Channels == 3)
        {
            image.TakeMiddle(shape.Width, shape.Height, chw);
            return;
        }
        var rgb = new byte[3 * shape.Positions];
        image.TakeMiddle(shape.Width, shape.Height, rgb);
        // ITU-R 601-2.
        for (int i = 0; i < chw.Length; i++) chw[i] = (byte)((299 * rgb[i] + 587 * rgb[i + chw.Length] + 114 * rgb[i + 2 * chw.Length] + 500) / 1000);
    }

    /// <summary>As RGB.</summary>
    internal static ImageResult Decode(string path)
    {
        byte[] file;
        try
        {
            file = File.ReadAllBytes(path);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            throw new AsniException($"The image '{path}' cannot be read: {e.Message}", e);
        }
        try
        {
            if (!IsCutOff(file)) return ImageResult.FromMemory(file, ColorComponents.RedGreenBlue);
        }
        catch (Exception e) when (e is not OutOfMemoryException)
        {
            // The decoder throws whatever a damaged file leads it to.
            throw new AsniException($"'{path}' is not a whole JPEG, PNG or BMP image.", e);
        }
        throw new AsniException($"'{path}' is not a whole JPEG, PNG or BMP image.");
    }

    /// <summary>A JPEG without an end after the beginning of its last scan, of which the decoder would show what there is.</summary>
    private static bool IsCutOff(ReadOnlySpan<byte> file)
    {
        ReadOnlySpan<byte> start = [0xFF, 0xD8], scan = [0xFF, 0xDA], end = [0xFF, 0xD9];
        return file.StartsWith(start) && file.LastIndexOf(scan) is var last && (last < 0 || file[last..].IndexOf(end) < 0);
    }
}
