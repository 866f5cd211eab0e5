using System.Buffers.Binary;
using System.IO.Hashing;
using System.Text;

namespace Asni.Data.Images;

/// <summary>The chunks of a PNG file (ISO/IEC 15948).</summary>
internal static class PngChunks
{
    /// <summary>Length and type before a chunk's data, checksum behind them.</summary>
    private const int HeadBytes = 8, ChecksumBytes = 4, HeaderBytes = 13;

    /// <summary>Deflate shrinks no more than this.</summary>
    private const int MaxDeflateRatio = 1032;

    public static ReadOnlySpan<byte> Signature => [0x89, (byte)'P', (byte)'N', (byte)'G', 0x0D, 0x0A, 0x1A, 0x0A];

    /// <summary>The image's size. Every chunk must be whole, and the pixels' as long as pixels can be.</summary>
    /// <exception cref="InvalidDataException">They are not.</exception>
    public static (int Width, int Height) Check(ReadOnlySpan<byte> file)
    {
        ReadOnlySpan<byte> header = default;
        long coded = 0;
        for (int at = Signature.Length; ;)
        {
            if (file.Length - at < HeadBytes + ChecksumBytes) throw CutOff();
            uint length = BinaryPrimitives.ReadUInt32BigEndian(file[at..]);
            if (length > (uint)(file.Length - at - HeadBytes - ChecksumBytes)) throw CutOff();
            ReadOnlySpan<byte> type = file.Slice(at + 4, 4), data = file.Slice(at + HeadBytes, (int)length);
            if (Crc32.HashToUInt32(file.Slice(at + 4, (int)length + 4)) != BinaryPrimitives.ReadUInt32BigEndian(file[(at + HeadBytes + (int)length)..]))
                throw new InvalidDataException($"it is damaged: the checksum of its chunk {Printable(type)} does not agree");
            if (header.IsEmpty && !(type.SequenceEqual("IHDR"u8) && length == HeaderBytes)) throw new InvalidDataException("it does not begin with its size");
            if (header.IsEmpty) header = data;
            else if (type.SequenceEqual("IDAT"u8)) coded += length;
            else if (type.SequenceEqual("IEND"u8)) break;
            at += HeadBytes + (int)length + ChecksumBytes;
        }
        return Size(header, coded);
    }

    private static (int Width, int Height) Size(ReadOnlySpan<byte> header, long coded)
    {
        uint width = BinaryPrimitives.ReadUInt32BigEndian(header), height = BinaryPrimitives.ReadUInt32BigEndian(header[4..]);
        if (width is 0 or > int.MaxValue || height is 0 or > int.MaxValue) throw new InvalidDataException($"it has {width} x {height} pixels");
        int samples = header[9] switch { 2 => 3, 4 => 2, 6 => 4, _ => 1 };
        UInt128 bytes = (UInt128)((ulong)width * header[8] * (ulong)samples / 8) * height;
        if (bytes > (UInt128)(coded * MaxDeflateRatio)) throw new InvalidDataException($"its {coded} bytes of pixels cannot hold {width} x {height} of them");
        return ((int)width, (int)height);
    }

    private static InvalidDataException CutOff() => new("it ends before the image does");

    private static string Printable(ReadOnlySpan<byte> type)
    {
        foreach (byte b in type)
            if (!char.IsAsciiLetter((char)b)) return "of an unknown type";
        return Encoding.ASCII.GetString(type);
    }
}
