using System.Buffers.Binary;

namespace Asni.Data.Images;

/// <summary>The headers of a Windows or OS/2 bitmap.</summary>
internal static class BmpHeader
{
    private const int FileHeaderBytes = 14, CoreHeaderBytes = 12, InfoHeaderBytes = 40;

    /// <summary>The image's size; rows that are not compressed must be there to the last.</summary>
    /// <exception cref="InvalidDataException">They are not, or there is no image.</exception>
    public static (int Width, int Height) Check(ReadOnlySpan<byte> file)
    {
        if (file.Length < FileHeaderBytes + CoreHeaderBytes) throw CutOff();
        uint start = BinaryPrimitives.ReadUInt32LittleEndian(file[10..]), header = BinaryPrimitives.ReadUInt32LittleEndian(file[14..]);
        bool core = header == CoreHeaderBytes;
        if (!core && file.Length < FileHeaderBytes + InfoHeaderBytes) throw CutOff();
        long width = core ? BinaryPrimitives.ReadUInt16LittleEndian(file[18..]) : BinaryPrimitives.ReadInt32LittleEndian(file[18..]);
        // Negative: the top row comes first.
        long height = core ? BinaryPrimitives.ReadUInt16LittleEndian(file[20..]) : Math.Abs((long)BinaryPrimitives.ReadInt32LittleEndian(file[22..]));
        if (width < 1 || height is < 1 or > int.MaxValue) throw new InvalidDataException($"it has {width} x {height} pixels");
        int bits = BinaryPrimitives.ReadUInt16LittleEndian(file[(core ? 24 : 28)..]);
        uint compression = core ? 0 : BinaryPrimitives.ReadUInt32LittleEndian(file[30..]);
        // 1 and 2 are run lengths, which say themselves whether they end; 3 and 6 are masks of colours.
        if (compression is 1 or 2) return ((int)width, (int)height);
        UInt128 rows = (UInt128)((width * bits + 31) / 32 * 4) * (UInt128)height;
        return start + rows <= (UInt128)file.Length ? ((int)width, (int)height) : throw CutOff();
    }

    private static InvalidDataException CutOff() => new("it ends before the image does");
}
