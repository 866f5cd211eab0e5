using Asni.Tensors;

namespace Asni.Data.Synthetic;

/// <summary>The synthetic dataset `digits`: 28x28 grey digits computed stroke by stroke from a seed, held in memory.</summary>
internal static class Digits
{
    public const string Name = "digits";

    /// <summary>As many as one array holds.</summary>
    public const int MaxCount = 2_700_000;

    private const int Classes = 10;

    /// <summary>Measured over the 60,000 training images of seed 1.</summary>
    internal static readonly Normalization Normalization = new([0.1226f], [0.2533f]);

    /// <summary>Draws <paramref name="count"/> images on all cores; labels run 0, 1, ..., 9, 0, ...</summary>
    /// <param name="count">Images.</param>
    /// <param name="stream">Where the random numbers start; image i depends on (stream, i) only.</param>
    /// <param name="threads">At most this many threads; the images do not depend on it.</param>
    public static Dataset Draw(int count, ulong stream, int threads)
    {
        const int size = DigitPainter.Size * DigitPainter.Size, chunk = 256;
        byte[] pixels = new byte[checked((long)count * size)], labels = new byte[count];
        var options = new ParallelOptions { MaxDegreeOfParallelism = threads };
        Parallel.For(0, (count + chunk - 1) / chunk, options, () => new DigitPainter(), (c, _, painter) =>
        {
            for (int i = c * chunk; i < Math.Min(count, (c + 1) * chunk); i++)
            {
                labels[i] = (byte)(i % Classes);
                painter.Paint(labels[i], SampleStream.At(stream, i), pixels.AsSpan(i * size, size));
            }
            return painter;
        }, _ => { });
        return new MemoryDataset(Name, Classes, new Chw(1, DigitPainter.Size, DigitPainter.Size), Normalization, pixels, labels, []);
    }
}
