using System.Buffers.Binary;

namespace Asni.Data.Images;

/// <summary>The segments of a JPEG file (ITU-T T.81, annex B).</summary>
internal static class JpegMarkers
{
    private const byte Start = 0xD8, End = 0xD9, Scan = 0xDA, FirstRestart = 0xD0, LastRestart = 0xD7, FirstFrame = 0xC0, Progressive = 0xC2, LastFrame = 0xCF;

    /// <summary>Tables that have the numbers of frames.</summary>
    private const byte HuffmanTables = 0xC4, ArithmeticTables = 0xCC, Extension = 0xC8;

    /// <summary>A block of 64 takes a bit or more of Huffman's code.</summary>
    private const int MaxPixelsPerByte = 512;

    /// <summary>Pixels of all scans together, for any file and for each byte of larger ones: each scan goes over the whole image, and may have a dozen bytes.</summary>
    private const long FreeWork = 1L << 28, WorkPerByte = 64;

    /// <summary>
    /// The image's size. The file must have one frame and the mark of its end: a decoder would show what there is of an image that is cut off. What follows the mark
    /// does not matter.
    /// </summary>
    /// <exception cref="InvalidDataException">It has not, or announces more than its bytes can hold.</exception>
    public static (int Width, int Height) Check(ReadOnlySpan<byte> file)
    {
        (int Width, int Height)? size = null;
        int scans = 0;
        for (int at = 2; at + 1 < file.Length;)
        {
            byte marker = file[at + 1];
            if (file[at] != 0xFF || marker == 0xFF)
            {
                // Bytes that fill up, or that should not be there: the decoder says.
                at++;
                continue;
            }
            if (marker == End) return Checked(size, scans, file.Length);
            at += 2;
            if (marker is 0 or Start or (>= FirstRestart and <= LastRestart)) continue;
            if (at + 2 > file.Length) break;
            int length = BinaryPrimitives.ReadUInt16BigEndian(file[at..]);
            if (length > file.Length - at) break;
            if (marker is >= FirstFrame and <= LastFrame and not (HuffmanTables or ArithmeticTables or Extension))
                size = size is null ? Frame(marker, file.Slice(at, length)) : throw new InvalidDataException("it has two images in one");
            at += length;
            if (marker != Scan) continue;
            scans++;
            at = AfterScan(file, at);
        }
        throw new InvalidDataException("it ends before the image does");
    }

    private static (int Width, int Height) Frame(byte marker, ReadOnlySpan<byte> segment)
    {
        if (marker > Progressive) throw new InvalidDataException("it is coded in a way that is neither baseline nor progressive");
        if (segment.Length < 8) throw new InvalidDataException("its header is damaged");
        return (BinaryPrimitives.ReadUInt16BigEndian(segment[5..]), BinaryPrimitives.ReadUInt16BigEndian(segment[3..]));
    }

    private static (int Width, int Height) Checked((int Width, int Height)? size, int scans, int fileBytes)
    {
        if (size is not { } found || scans == 0) throw new InvalidDataException("it has no image");
        long pixels = (long)found.Width * found.Height;
        if (pixels > (long)MaxPixelsPerByte * fileBytes) throw new InvalidDataException($"its {fileBytes} bytes cannot hold {found.Width} x {found.Height} pixels");
        if (pixels * scans > Math.Max(FreeWork, WorkPerByte * fileBytes)) throw new InvalidDataException($"it goes over {found.Width} x {found.Height} pixels {scans} times");
        return found;
    }

    /// <summary>The first marker after coded data, in which FF is followed by 00 or a restart.</summary>
    private static int AfterScan(ReadOnlySpan<byte> file, int at)
    {
        while (at < file.Length)
        {
            int next = file[at..].IndexOf((byte)0xFF);
            if (next < 0 || at + next + 1 >= file.Length) return file.Length;
            at += next;
            if (file[at + 1] is not (0 or 0xFF or (>= FirstRestart and <= LastRestart))) return at;
            at += file[at + 1] == 0xFF ? 1 : 2;
        }
        return at;
    }
}
