using Asni.Tensors;

namespace Asni.Data;

/// <summary>Reads images as they enter a batch, one at a time. One instance a thread.</summary>
internal sealed class Augmenter(Chw shape)
{
    private readonly byte[] _source = new byte[shape.Elements];

    /// <param name="part">Chooses a part of the image; null for the whole.</param>
    public void Read(Dataset data, SampleDraw draw, ulong? part, Span<byte> chw)
    {
        if (part is { } random)
        {
            data.ReadRandomCrop(draw.Index, random, draw.Flip ? _source : chw);
            if (draw.Flip) CropAndFlip(_source, shape, 0, 0, true, chw);
            return;
        }
        if (draw is { Top: 0, Left: 0, Flip: false })
        {
            data.Read(draw.Index, chw);
            return;
        }
        data.Read(draw.Index, _source);
        CropAndFlip(_source, shape, draw.Top, draw.Left, draw.Flip, chw);
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
