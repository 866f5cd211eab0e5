using Asni.Formats;
using Asni.Formats.PyTorch;

namespace Asni.Data;

/// <summary>
/// A file of CIFAR's Python version, as torchvision keeps it: a pickled dictionary with "data", a row of red, green and blue planes for each image, and
/// a list of labels. Read as data: nothing in it is imported or called.
/// </summary>
internal sealed record CifarPickle(ReadOnlyMemory<byte> Pixels, byte[] Labels)
{
    /// <summary>CIFAR-100's training file has 155 MB.</summary>
    private const long LargestFile = 1 << 28;

    /// <param name="labels">The key of the labels.</param>
    /// <param name="imageBytes">Of one image.</param>
    /// <exception cref="AsniException">Missing, damaged, or of another content.</exception>
    public static CifarPickle Read(string path, string labels, int imageBytes, int classes)
    {
        AsniException Bad(string what) => new($"'{path}' is no file of CIFAR's Python version: {what}.");
        if (!File.Exists(path)) throw new AsniException($"'{Path.GetDirectoryName(path)}' lacks the file '{Path.GetFileName(path)}' of CIFAR's Python version.");
        if (new FileInfo(path).Length > LargestFile) throw Bad("it is too large");
        byte[] file = WholeFile.Read(path);
        if (PickleReader.Read(file, new ReadBudget(file.Length, Bad), Bad) is not Dictionary<object, object> batch) throw Bad("it holds no dictionary");
        if (Images(batch.GetValueOrDefault("data"), imageBytes) is not { } pixels) throw Bad($"its data are not rows of {imageBytes} bytes");
        if (Numbers(batch.GetValueOrDefault(labels)) is not { } numbers) throw Bad($"it has no list of {labels}");
        if (numbers.Length != pixels.Length / imageBytes) throw Bad($"it has {pixels.Length / imageBytes} images and {numbers.Length} {labels}");
        int wrong = Array.FindIndex(numbers, n => n < 0 || n >= classes);
        if (wrong >= 0) throw Bad($"labels from 0 to {classes - 1} were expected, image {wrong} has {numbers[wrong]}");
        return new CifarPickle(pixels, [.. numbers.Select(n => (byte)n)]);
    }

    private static ReadOnlyMemory<byte>? Images(object? value, int imageBytes)
    {
        NumpyArray? array = NumpyArray.TryCreate(value);
        ReadOnlyMemory<byte>? bytes = array is null ? NumpyArray.BytesOf(value) : array.Type == "u1" ? array.Data : null;
        return bytes is { Length: > 0 } pixels && pixels.Length % imageBytes == 0 ? bytes : null;
    }

    private static long[]? Numbers(object? value) => value is List<object> list
        ? list.TrueForAll(n => n is long) ? [.. list.Cast<long>()] : null
        : NumpyArray.TryCreate(value)?.Integers();
}
