using System.Buffers.Binary;
using System.Text;

namespace Asni.Formats;

/// <summary>
/// Reads little-endian fields from bytes in memory; whatever would lie past the end is the error that <paramref name="bad"/> makes.
/// </summary>
internal sealed class ByteReader(ReadOnlyMemory<byte> bytes, Func<string, AsniException> bad)
{
    private static readonly UTF8Encoding s_strict = new(encoderShouldEmitUTF8Identifier: false, throwOnInvalidBytes: true);

    public int Position { get; private set; }
    public int Left => bytes.Length - Position;

    public byte U8() => Take(1)[0];
    public ushort U16() => BinaryPrimitives.ReadUInt16LittleEndian(Take(sizeof(ushort)));
    public uint U32() => BinaryPrimitives.ReadUInt32LittleEndian(Take(sizeof(uint)));
    public ulong U64() => BinaryPrimitives.ReadUInt64LittleEndian(Take(sizeof(ulong)));

    /// <summary>A number that must be from 1 to <paramref name="max"/>.</summary>
    public int Count(string what, uint max = int.MaxValue)
    {
        uint value = U32();
        return value >= 1 && value <= max ? (int)value : throw bad($"it announces {value} {what}");
    }

    /// <summary>Length in 16 bits, then UTF-8.</summary>
    public string Text() => Text(U16());

    public string Text(int length) => Decode(Take(length));

    /// <summary>Text that was read over already.</summary>
    public string TextAt(int start, int length) => Decode(bytes.Span.Slice(start, length));

    public void Skip(long length) => Take(length);

    public ReadOnlySpan<byte> Take(long length) => Slice(length).Span;

    /// <summary>As <see cref="Take"/>, to keep.</summary>
    public ReadOnlyMemory<byte> Slice(long length)
    {
        if (length < 0 || length > Left) throw bad($"it ends where {length} more bytes were expected");
        ReadOnlyMemory<byte> taken = bytes.Slice(Position, (int)length);
        Position += (int)length;
        return taken;
    }

    private string Decode(ReadOnlySpan<byte> text)
    {
        try
        {
            return s_strict.GetString(text);
        }
        catch (DecoderFallbackException e)
        {
            throw new AsniException(bad("a name in it is not UTF-8").Message, e);
        }
    }
}
