using System.Buffers.Binary;
using System.IO.Compression;
using System.IO.Hashing;
using System.Text;
using Asni.Data.Images;
using SkiaSharp;

namespace Asni.Tests.Data.Images;

/// <summary>What is decoded, and what is refused before it is.</summary>
public class ImageDecoderTests
{
    private static void ExpectRefused(byte[] file, string words, string because = "")
    {
        long before = GC.GetAllocatedBytesForCurrentThread();
        Assert.That(() => ImageDecoder.Decode(file).Dispose(), Throws.TypeOf<InvalidDataException>().With.Message.Contains(words), because);
        Assert.That(GC.GetAllocatedBytesForCurrentThread() - before, Is.LessThan(1 << 20));
    }

    private static byte[] Rgb(byte[] file)
    {
        using DecodedImage image = ImageDecoder.Decode(file);
        byte[] rgba = image.Rgba.ToArray();
        return [.. rgba.Where((_, i) => i % 4 != 3)];
    }

    [TestCase("picture.jpg", "picture-jpg.png")]
    public void JPEGs_pixels_are_libjpegs(string file, string expected) => Assert.That(Pictures.Pixels(file), Is.EqualTo(Pictures.Pixels(expected)));

    [Test]
    public void WebP_without_loss_has_the_pixels_it_was_made_of()
    {
        using SKBitmap picture = SKBitmap.Decode(Pictures.File("picture.png"));
        using SKPixmap pixels = picture.PeekPixels();
        using SKData lossless = pixels.Encode(new SKWebpEncoderOptions(SKWebpEncoderCompression.Lossless, 50))!;
        Assert.That(Rgb(lossless.ToArray()), Is.EqualTo(Rgb(Pictures.File("picture.png"))));
    }

    [TestCase(24, false)]
    [TestCase(24, true)]
    [TestCase(32, false)]
    public void Bitmaps_have_the_pixels_of_their_rows(int bits, bool topDown)
    {
        byte[] file = Bitmap(5, topDown ? -3 : 3, bits), pixels = Rgb(file);
        int row = (5 * bits + 31) / 32 * 4;
        for (int y = 0; y < 3; y++)
            for (int x = 0; x < 5; x++)
                for (int c = 0; c < 3; c++)
                    Assert.That(pixels[(y * 5 + x) * 3 + c], Is.EqualTo(file[54 + (topDown ? y : 2 - y) * row + x * bits / 8 + 2 - c]), $"{x}, {y}, {c}");
    }

    [Test]
    public void Sixteen_bits_a_pixel_are_scaled()
    {
        byte[] file = Png(2, 1, 16, 0, Deflated([0, 0x80, 0x00, 0xFF, 0xFF]));
        Assert.That(Rgb(file), Is.EqualTo((byte[])[128, 128, 128, 255, 255, 255]));
    }

    [TestCase(26_000, 26_000)]
    [TestCase(65_535, 65_535)]
    [TestCase(1, 65_535)]
    [TestCase(70_000, 1)]
    [TestCase(int.MaxValue, int.MaxValue)]
    public void Sizes_that_a_few_bytes_cannot_hold_are_refused(int width, int height)
    {
        ExpectRefused(Png(width, height, 8, 2, Deflated([0, 1, 2, 3])), " ");
        byte[] bitmap = Bitmap(5, 3, 24);
        BinaryPrimitives.WriteInt32LittleEndian(bitmap.AsSpan(18), width);
        BinaryPrimitives.WriteInt32LittleEndian(bitmap.AsSpan(22), height);
        ExpectRefused(bitmap, "it ends before the image does");
        BinaryPrimitives.WriteInt32LittleEndian(bitmap.AsSpan(22), -height);
        ExpectRefused(bitmap, "it ends before the image does");
        ExpectRefused(Sized(Pictures.File("picture.jpg"), width, height), " ");
        ExpectRefused(Sized(Pictures.File("progressive.jpg"), width, height), " ");
    }

    /// <summary>Of one colour, so that their bytes could hold them; not even then is the memory given.</summary>
    [TestCase(8, 2)]
    [TestCase(1, 0)]
    [TestCase(16, 6)]
    public void Images_of_one_colour_have_a_limit_too(int depth, int colours)
    {
        const int side = 6000;
        byte[] file = Png(side, side, depth, colours, Deflated(new byte[side * (1 + side * depth * (colours switch { 2 => 3, 6 => 4, _ => 1 }) / 8)]));
        ExpectRefused(file, $"its {side} x {side} pixels would take more memory than a file of");
    }

    [TestCase(16_384, 16_384)]
    [TestCase(6_000, 6_000)]
    public void WebP_has_a_limit(int width, int height)
    {
        byte[] lossless = [.. "RIFF\u0020\0\0\0WEBPVP8L\u0014\0\0\0/"u8, .. BitConverter.GetBytes((uint)(width - 1) | (uint)(height - 1) << 14), .. new byte[20]];
        ExpectRefused(lossless, "more memory");
        byte[] canvas = [.. "RIFF\u0020\0\0\0WEBPVP8X\u000a\0\0\0\0\0\0\0"u8, .. BitConverter.GetBytes(width - 1)[..3], .. BitConverter.GetBytes(height - 1)[..3], .. new byte[20]];
        ExpectRefused(canvas, "more memory");
    }

    [TestCase(0, 7)]
    [TestCase(7, 0)]
    public void An_image_without_pixels_is_refused(int width, int height)
    {
        ExpectRefused(Png(width, height, 8, 2, Deflated([0])), $"it has {width} x {height} pixels");
        ExpectRefused(Sized(Pictures.File("picture.jpg"), width, height), $"it has {width} x {height} pixels");
        ExpectRefused(Bitmap(width, height, 24), $"it has {width} x {height} pixels");
        byte[] webp = [.. "RIFF\u0020\0\0\0WEBPVP8 \u0014\0\0\0"u8, 0, 0, 0, 0x9D, 1, 0x2A, (byte)width, 0, (byte)height, 0, .. new byte[10]];
        ExpectRefused(webp, $"it has {width} x {height} pixels");
    }

    [Test]
    public void A_file_that_is_cut_anywhere_is_refused([Values("picture.png", "picture.jpg", "progressive.jpg", "gray.jpg", "bitmap", "webp")] string name)
    {
        byte[] file = name switch { "bitmap" => Bitmap(9, 7, 24), "webp" => WebP(), _ => Pictures.File(name) };
        for (int length = 0; length < file.Length; length += 1 + length / 50) ExpectRefused(file[..length], "", $"{length} of {file.Length} bytes");
        ExpectRefused(file[..^1], "", "all but one byte");
    }

    [Test]
    public void One_bit_in_a_PNG_is_noticed()
    {
        byte[] file = Pictures.File("larger.png");
        for (int bit = 0; bit < file.Length * 8; bit += 1 + bit % 13)
        {
            file[bit / 8] ^= (byte)(1 << bit % 8);
            ExpectRefused(file, "", $"bit {bit}");
            file[bit / 8] ^= (byte)(1 << bit % 8);
        }
    }

    [TestCase("GIF89a", "a GIF image")]
    [TestCase("8BPS\0\u0001", "a Photoshop image")]
    [TestCase("II*\0", "a TIFF image")]
    [TestCase("MM\0*", "a TIFF image")]
    [TestCase("P6\n4 4\n255\n", "a PBM, PGM or PPM image")]
    [TestCase("#?RADIANCE\n", "a Radiance HDR image")]
    [TestCase("\0\0\u0002\0\0\0\0\0\0\0\0\0\u0004\0\u0004\0\u0018\0", "a Targa image")]
    [TestCase("\0\0\0\u001cftypavif", "an AVIF image")]
    [TestCase("<!DOCTYPE html>", "an HTML page")]
    [TestCase("<?xml version='1.0'?><svg>", "an SVG drawing")]
    [TestCase("version https://git-lfs.github.com/spec/v1\n", "a pointer of Git LFS")]
    [TestCase("version https://hawser.github.com/spec/v1\n", "a pointer of Git LFS")]
    [TestCase("%PDF-1.7", "a PDF document")]
    [TestCase("\u001f\u008b\u0008", "a gzip archive")]
    [TestCase("PK\u0003\u0004", "a zip archive")]
    [TestCase("", "it is empty")]
    [TestCase("hello", "does not begin as one of these")]
    public void Other_formats_are_named(string head, string words) =>
        ExpectRefused(head.Length == 0 ? [] : [.. Encoding.Latin1.GetBytes(head), .. new byte[64]], words);

    [TestCase("FFFFD8FFE000FF")]
    [TestCase("FFFFD8FFE000104A")]
    [TestCase("FFD8FFE000FF")]
    [TestCase("FFD8FFD9")]
    [TestCase("FFD8FFFFFFFFFFFF")]
    [TestCase("FFD8FFC2FFD9")]
    [TestCase("FFD8FFC2000B080010001001011100FFD9")]
    [TestCase("FFD8FFDA0002FFD9")]
    [TestCase("FFD8FF0000")]
    public void A_few_bytes_of_a_JPEG_are_refused(string bytes)
    {
        byte[] file = Convert.FromHexString(bytes);
        ExpectRefused(file, "");
        ExpectRefused([.. file, .. new byte[1000]], "");
        ExpectRefused([.. file, .. Enumerable.Repeat((byte)0xFF, 1000)], "");
    }

    [TestCase((byte)0xC3)]
    [TestCase((byte)0xC9)]
    [TestCase((byte)0xCA)]
    public void Codings_of_JPEG_whose_size_cannot_be_checked_are_refused(byte frame)
    {
        byte[] file = Pictures.File("picture.jpg");
        file[file.AsSpan().IndexOf((ReadOnlySpan<byte>)[0xFF, 0xC0]) + 1] = frame;
        ExpectRefused(file, "neither baseline nor progressive");
    }

    /// <summary>Each of ten scans goes over the whole image, and a scan may have a dozen bytes.</summary>
    [Test]
    public void Scans_over_a_large_image_have_a_limit()
    {
        byte[] file = Sized(Pictures.File("progressive.jpg"), 5792, 5792);
        byte[] comment = [0xFF, 0xFE, 0xFF, 0xFF, .. new byte[65_533]];
        ExpectRefused([.. file[..2], .. comment, .. file[2..]], "it goes over 5792 x 5792 pixels 10 times");
    }

    [Test]
    public void Coded_pixels_behind_the_last_row_are_not_decoded()
    {
        byte[] pixels = new byte[64 << 20];
        pixels.AsSpan(0, 8 * 25).Fill(7);
        for (int row = 0; row < 8; row++) pixels[row * 25] = 0;
        using DecodedImage image = ImageDecoder.Decode(Png(8, 8, 8, 2, Deflated(pixels)));
        Assert.That(image.Rgba[..3].ToArray(), Is.All.EqualTo(7));
    }

    private static byte[] WebP()
    {
        using SKBitmap picture = SKBitmap.Decode(Pictures.File("picture.png"));
        using SKData webp = picture.Encode(SKEncodedImageFormat.Webp, 80);
        return webp.ToArray();
    }

    /// <summary>A JPEG whose header says another size.</summary>
    private static byte[] Sized(byte[] jpeg, int width, int height)
    {
        int frame = Math.Max(jpeg.AsSpan().IndexOf((ReadOnlySpan<byte>)[0xFF, 0xC0]), jpeg.AsSpan().IndexOf((ReadOnlySpan<byte>)[0xFF, 0xC2]));
        BinaryPrimitives.WriteUInt16BigEndian(jpeg.AsSpan(frame + 5), (ushort)Math.Min(height, ushort.MaxValue));
        BinaryPrimitives.WriteUInt16BigEndian(jpeg.AsSpan(frame + 7), (ushort)Math.Min(width, ushort.MaxValue));
        return jpeg;
    }

    private static byte[] Bitmap(int width, int height, int bits)
    {
        var file = new byte[54 + (width * bits + 31) / 32 * 4 * Math.Abs(height)];
        "BM"u8.CopyTo(file);
        (int At, int Value)[] fields = [(2, file.Length), (10, 54), (14, 40), (18, width), (22, height), (26, 1 | bits << 16)];
        foreach ((int at, int value) in fields) BinaryPrimitives.WriteInt32LittleEndian(file.AsSpan(at), value);
        for (int i = 54; i < file.Length; i++) file[i] = (byte)(i * 37);
        return file;
    }

    private static byte[] Deflated(byte[] rows)
    {
        using var memory = new MemoryStream();
        using (var deflate = new ZLibStream(memory, CompressionLevel.Optimal, leaveOpen: true)) deflate.Write(rows);
        return memory.ToArray();
    }

    private static byte[] Png(int width, int height, int depth, int colours, byte[] coded)
    {
        var header = new byte[13];
        BinaryPrimitives.WriteInt32BigEndian(header, width);
        BinaryPrimitives.WriteInt32BigEndian(header.AsSpan(4), height);
        (header[8], header[9]) = ((byte)depth, (byte)colours);
        return [.. PngChunks.Signature, .. Chunk("IHDR", header), .. Chunk("IDAT", coded), .. Chunk("IEND", [])];
    }

    private static byte[] Chunk(string type, byte[] data)
    {
        byte[] chunk = [0, 0, 0, 0, .. Encoding.ASCII.GetBytes(type), .. data, 0, 0, 0, 0];
        BinaryPrimitives.WriteInt32BigEndian(chunk, data.Length);
        BinaryPrimitives.WriteUInt32BigEndian(chunk.AsSpan(chunk.Length - 4), Crc32.HashToUInt32(chunk.AsSpan(4, chunk.Length - 8)));
        return chunk;
    }
}
