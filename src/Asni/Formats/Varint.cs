namespace Asni.Formats;

/// <summary>Whole numbers of 7 bits a byte, low ones first; the top bit says that more follow (LEB128, protobuf's varint).</summary>
internal static class Varint
{
    private const int MaxBytes = 10;

    public static void Write(Stream stream, ulong value)
    {
        for (; value >= 0x80; value >>= 7) stream.WriteByte((byte)(value | 0x80));
        stream.WriteByte((byte)value);
    }

    /// <summary>Takes a number off the front; false when it does not end or does not fit 64 bits.</summary>
    public static bool TryRead(ref ReadOnlySpan<byte> bytes, out ulong value)
    {
        value = 0;
        for (int i = 0; i < bytes.Length && i < MaxBytes; i++)
        {
            if (i == MaxBytes - 1 && bytes[i] > 1) return false;
            value |= (ulong)(bytes[i] & 0x7F) << (7 * i);
            if (bytes[i] >= 0x80) continue;
            bytes = bytes[(i + 1)..];
            return true;
        }
        return false;
    }
}
