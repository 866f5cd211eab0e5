using Asni.Tensors;
using StbImageSharp;

namespace Asni.Data.Images;

/// <summary>Images in files of any size, decoded when they are read and brought to one size: their middle, or a random part for training.</summary>
internal sealed class ImageFolderDataset(string name, ImageList list, int height, int width) : Dataset
{
    [ThreadStatic]
    private static ImageResampler? _resampler;

    public override string Name => name;
    public override int Count => list.Files.Length;
    public override int Classes => list.Classes.Length;
    public override Chw Shape => new(3, height, width);

    /// <summary>ImageNet's, as networks that were trained on it expect (torchvision).</summary>
    public override Normalization Normalization { get; } = new([0.485f, 0.456f, 0.406f], [0.229f, 0.224f, 0.225f]);

    public override bool HasParts => true;

    public override int Label(int index) => list.Labels[index];

    public override void Read(int index, Span<byte> chw)
    {
        ImageResult image = Decode(index);
        (int newWidth, int newHeight, PixelBox window) = ImageParts.Center(image.Width, image.Height, width, height);
        Resample(image, new PixelBox(0, 0, image.Width, image.Height), newWidth, newHeight, window, chw);
    }

    public override void ReadPart(int index, ulong random, Span<byte> chw)
    {
        ImageResult image = Decode(index);
        PixelBox part = ImageParts.Random(image.Width, image.Height, new SplitMix64(random));
        Resample(image, part, width, height, new PixelBox(0, 0, width, height), chw);
    }

    private static void Resample(ImageResult image, PixelBox part, int newWidth, int newHeight, PixelBox window, Span<byte> chw) =>
        (_resampler ??= new ImageResampler()).Run(image.Data, image.Width, part, newWidth, newHeight, window, chw);

    private ImageResult Decode(int index)
    {
        string path = list.PathOf(index);
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
