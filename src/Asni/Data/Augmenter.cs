using Asni.Tensors;

namespace Asni.Data;

/// <summary>Applies an <see cref="Augmentation"/> to one image at a time. One instance a thread.</summary>
internal sealed class Augmenter(Augmentation augmentation, Chw shape)
{
    private readonly byte[] _source = new byte[shape.Elements];
    private readonly SplitMix64 _random = new(0);

    /// <summary>Reads image <paramref name="index"/> and changes it as (stream, index) and nothing else says.</summary>
    public void Read(Dataset data, int index, ulong stream, Span<byte> chw)
    {
        data.Read(index, _source);
        _random.State = SampleStream.At(stream, index);
        int padding = augmentation.CropPadding;
        int top = padding == 0 ? 0 : _random.Next(2 * padding + 1) - padding;
        int left = padding == 0 ? 0 : _random.Next(2 * padding + 1) - padding;
        bool flip = augmentation.Flip && _random.Next(2) == 1;
        CropAndFlip(_source, shape, top, left, flip, chw);
    }

    /// <summary>Pixel (y, x) of the result is (y + top, x + left) of the source, 0 outside it, and then mirrored if asked.</summary>
    public static void CropAndFlip(ReadOnlySpan<byte> source, Chw shape, int top, int left, bool flip, Span<byte> result)
    {
        (int channels, int height, int width) = (shape.Channels, shape.Height, shape.Width);
        int first = Math.Clamp(-left, 0, width);
        int count = Math.Max(0, Math.Min(width, width - left) - first);
        for (int row = 0; row < channels * height; row++)
        {
            Span<byte> to = result.Slice(row * width, width);
            int y = row % height + top;
            if (y < 0 || y >= height || count == 0)
            {
                to.Clear();
                continue;
            }
            to[..first].Clear();
            source.Slice((row + top) * width + first + left, count).CopyTo(to[first..]);
            to[(first + count)..].Clear();
            if (flip) to.Reverse();
        }
    }
}
