using System.Buffers.Binary;
using System.IO.Hashing;
using Asni.Data;
using Asni.Data.Images;
using Asni.Tensors;
using SkiaSharp;

namespace Asni.Fuzz;

/// <summary>Images, decoded and brought to what a network reads.</summary>
internal static class ImageFormats
{
    private const int Side = 16;

    public static IEnumerable<FuzzedFormat> All()
    {
        byte[][] png = [Encoded(SKEncodedImageFormat.Png, 13, 11), Encoded(SKEncodedImageFormat.Png, 40, 3), Seed.Read("larger.png")];
        byte[][] jpeg = [Encoded(SKEncodedImageFormat.Jpeg, 24, 17), Seed.Read("progressive.jpg"), Seed.Read("gray.jpg"), Seed.Read("cmyk.jpg"), Seed.Read("picture.jpg")];
        byte[][] webp = [Encoded(SKEncodedImageFormat.Webp, 24, 17, 80), Encoded(SKEncodedImageFormat.Webp, 24, 17)];
        byte[][] bmp = [Bitmap(9, 7, 24), Bitmap(9, 7, 32), Bitmap(8, -5, 24), Bitmap(9, 7, 8), Bitmap(17, 7, 1), Bitmap(9, 7, 4), Bitmap(9, 7, 16)];
        yield return new("png", png, Checksums, Load, "input.png");
        yield return new("jpeg", jpeg, FuzzedFormat.AsIs, Load, "input.jpg");
        yield return new("webp", webp, Lengths, Load, "input.webp");
        yield return new("bmp", bmp, FuzzedFormat.AsIs, Load, "input.bmp");
        // Under the name of an image, whatever it is.
        yield return new("image-any", [.. png, .. jpeg, .. webp, .. bmp, .. Others()], FuzzedFormat.AsIs, Load, "input.jpeg");
    }

    private static void Load(string path)
    {
        using DecodedImage image = ImageFile.Decode(path);
        var pixels = new byte[3 * Side * Side];
        image.TakeMiddle(Side, Side, pixels);
        image.TakeAll(Side, Side, pixels);
        image.TakePart(new SplitMix64(1), Side, Side, pixels);
    }

    private static byte[] Encoded(SKEncodedImageFormat format, int width, int height, int quality = 100)
    {
        using var bitmap = new SKBitmap(width, height);
        for (int y = 0; y < height; y++)
            for (int x = 0; x < width; x++) bitmap.SetPixel(x, y, new SKColor((byte)(x * 9), (byte)(y * 20), (byte)(x * y), (byte)(255 - x)));
        using SKData data = bitmap.Encode(format, quality);
        return data.ToArray();
    }

    /// <param name="height">Negative for rows from the top.</param>
    private static byte[] Bitmap(int width, int height, int bits)
    {
        int colours = bits <= 8 ? 1 << bits : 0, start = 54 + 4 * colours, row = (width * bits + 31) / 32 * 4;
        var file = new byte[start + row * Math.Abs(height)];
        "BM"u8.CopyTo(file);
        (int At, int Value)[] fields = [(2, file.Length), (10, start), (14, 40), (18, width), (22, height), (26, 1 | bits << 16), (46, colours)];
        foreach ((int at, int value) in fields) BinaryPrimitives.WriteInt32LittleEndian(file.AsSpan(at), value);
        for (int i = 54; i < file.Length; i++) file[i] = (byte)(i * 37);
        return file;
    }

    /// <summary>First bytes of formats that are not read, and noise behind them.</summary>
    private static IEnumerable<byte[]> Others()
    {
        var noise = new byte[100];
        new Random(1).NextBytes(noise);
        foreach (string head in (string[])["GIF89a", "8BPS", "II*\0", "P6\n4 4\n255\n", "<svg", "%PDF-1", "PK\u0003\u0004", "#?RADIANCE\n", "\0\0\u0002\0\0\0\0\0\0\0\0\0\u0004\0\u0004\0\u0018\0"])
            yield return [.. System.Text.Encoding.Latin1.GetBytes(head), .. noise];
    }

    private static byte[] Checksums(byte[] file, Random random)
    {
        if (random.Next(8) == 0) return file;
        for (int at = 8; at + 12 <= file.Length;)
        {
            uint length = BinaryPrimitives.ReadUInt32BigEndian(file.AsSpan(at));
            if (length > (uint)(file.Length - at - 12)) break;
            BinaryPrimitives.WriteUInt32BigEndian(file.AsSpan(at + 8 + (int)length), Crc32.HashToUInt32(file.AsSpan(at + 4, 4 + (int)length)));
            at += 12 + (int)length;
        }
        return file;
    }

    private static byte[] Lengths(byte[] file, Random random)
    {
        if (file.Length >= 20 && random.Next(4) != 0) BinaryPrimitives.WriteInt32LittleEndian(file.AsSpan(4), file.Length - 8);
        return file;
    }
}
