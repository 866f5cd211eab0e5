using System.Buffers.Binary;
using System.IO.Compression;
using Asni.Formats;

namespace Asni.Tests.Formats;

public class PngImageTests
{
    [Test]
    public void The_file_has_the_three_chunks_with_the_pixels_row_by_row()
    {
        byte[] rgb = [.. Enumerable.Range(0, 3 * 2 * 3).Select(i => (byte)i)];
        byte[] file = new PngImage(2, 3, rgb).Encode();
        Assert.That(file[..8], Is.EqualTo(new byte[] { 0x89, 0x50, 0x4E, 0x47, 0x0D, 0x0A, 0x1A, 0x0A }));
        Assert.That(file[8..29], Is.EqualTo(new byte[] { 0, 0, 0, 13, (byte)'I', (byte)'H', (byte)'D', (byte)'R', 0, 0, 0, 2, 0, 0, 0, 3, 8,
            2, 0, 0, 0 }));
        int length = BinaryPrimitives.ReadInt32BigEndian(file.AsSpan(33));
        using var zlib = new ZLibStream(new MemoryStream(file, 41, length), CompressionMode.Decompress);
        using var pixels = new MemoryStream();
        zlib.CopyTo(pixels);
        Assert.That(pixels.ToArray(), Is.EqualTo(new byte[] { 0, 0, 1, 2, 3, 4, 5, 0, 6, 7, 8, 9, 10, 11, 0, 12, 13, 14, 15, 16, 17 }));
        // The last chunk is the same in every PNG file.
        Assert.That(file[^12..], Is.EqualTo(new byte[] { 0, 0, 0, 0, 0x49, 0x45, 0x4E, 0x44, 0xAE, 0x42, 0x60, 0x82 }));
    }
}
