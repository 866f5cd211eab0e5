using System.Buffers.Binary;

namespace Asni.Data.Images;

/// <summary>The head of a WebP file (RFC 9649).</summary>
internal static class WebPHeader
{
    private const int LongestHead = 30;

    /// <summary>The image's size, or that of the canvas of several; the file must be as long as it says.</summary>
    /// <exception cref="InvalidDataException">It is shorter, or has no image.</exception>
    public static (int Width, int Height) Check(ReadOnlySpan<byte> file)
    {
        if (file.Length < LongestHead || BinaryPrimitives.ReadUInt32LittleEndian(file[4..]) > (uint)(file.Length - 8))
            throw new InvalidDataException("it ends before the image does");
        ReadOnlySpan<byte> kind = file.Slice(12, 4);
        if (kind.SequenceEqual("VP8 "u8))
            return (BinaryPrimitives.ReadUInt16LittleEndian(file[26..]) & 0x3FFF, BinaryPrimitives.ReadUInt16LittleEndian(file[28..]) & 0x3FFF);
        if (kind.SequenceEqual("VP8L"u8))
        {
            uint sizes = BinaryPrimitives.ReadUInt32LittleEndian(file[21..]);
            return ((int)(sizes & 0x3FFF) + 1, (int)(sizes >> 14 & 0x3FFF) + 1);
        }
        if (kind.SequenceEqual("VP8X"u8)) return (U24(file[24..]) + 1, U24(file[27..]) + 1);
        throw new InvalidDataException("it has no image of a known kind");
    }

    private static int U24(ReadOnlySpan<byte> bytes) => bytes[0] | bytes[1] << 8 | bytes[2] << 16;
}
