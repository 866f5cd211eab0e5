using System.Buffers.Binary;

namespace Asni.Data.Images;

/// <summary>The segments of a JPEG file (ITU-T T.81, annex B).</summary>
internal static class JpegMarkers
{
    private const byte Start = 0xD8, End = 0xD9, Scan = 0xDA, FirstRestart = 0xD0, LastRestart = 0xD7;

    /// <summary>Whether this is a JPEG that ends before its end is marked: a decoder would show what there is of it. What follows the mark does not matter.</summary>
    public static bool IsCutOff(ReadOnlySpan<byte> file)
    {
        if (!file.StartsWith((ReadOnlySpan<byte>)[0xFF, Start])) return false;
        int at = 2;
        while (at + 1 < file.Length)
        {
            byte marker = file[at + 1];
            if (file[at] != 0xFF || marker == 0xFF)
            {
                // Bytes that fill up, or that should not be there: the decoder says.
                at++;
                continue;
            }
            if (marker == End) return false;
            at += 2;
            if (marker is 0 or (>= FirstRestart and <= LastRestart)) continue;
            if (at + 2 > file.Length) return true;
            at += BinaryPrimitives.ReadUInt16BigEndian(file[at..]);
            if (marker == Scan) at = AfterScan(file, at);
        }
        return true;
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
