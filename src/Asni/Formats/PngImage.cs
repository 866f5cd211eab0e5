using System.Buffers.Binary;
using System.IO.Compression;
using System.IO.Hashing;

namespace Asni.Formats;

/// <summary>A picture of 8-bit red, green and blue, row by row, and its PNG file.</summary>
internal sealed record PngImage(int Width, int Height, byte[] Rgb)
{
    private const byte BitsPerChannel = 8, TrueColour = 2;

    /// <summary>The bytes of a PNG file.</summary>
    public byte[] Encode()
    {
        using var file = new MemoryStream();
        file.Write([0x89, (byte)'P', (byte)'N', (byte)'G', 0x0D, 0x0A, 0x1A, 0x0A]);
        var header = new byte[13];
        BinaryPrimitives.WriteInt32BigEndian(header, Width);
        BinaryPrimitives.WriteInt32BigEndian(header.AsSpan(4), Height);
        (header[8], header[9]) = (BitsPerChannel, TrueColour);
        Chunk(file, "IHDR"u8, header);
        Chunk(file, "IDAT"u8, Compressed());
        Chunk(file, "IEND"u8, []);
        return file.ToArray();
    }

    private byte[] Compressed()
    {
        using var data = new MemoryStream();
        using (var zlib = new ZLibStream(data, CompressionLevel.Optimal))
            for (int y = 0; y < Height; y++)
            {
                // Each row says how it is filtered: not.
                zlib.WriteByte(0);
                zlib.Write(Rgb, 3 * Width * y, 3 * Width);
            }
        return data.ToArray();
    }

    private static void Chunk(MemoryStream file, ReadOnlySpan<byte> type, ReadOnlySpan<byte> data)
    {
        Span<byte> number = stackalloc byte[sizeof(int)];
        BinaryPrimitives.WriteInt32BigEndian(number, data.Length);
        file.Write(number);
        byte[] body = [.. type, .. data];
        file.Write(body);
        BinaryPrimitives.WriteUInt32BigEndian(number, Crc32.HashToUInt32(body));
        file.Write(number);
    }
}
