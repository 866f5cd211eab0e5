using System.Buffers.Binary;
using System.Runtime.InteropServices;
using System.Text;

namespace Asni.Formats;

/// <summary>
/// A protobuf message being put together, field by field (protobuf.dev/programming-guides/encoding). Large byte fields are kept by reference and
/// copied once, when the whole is written. A caller names fields by their numbers in the .proto file.
/// </summary>
internal sealed class ProtoMessage
{
    private const int WireVarint = 0, Wire64 = 1, WireBytes = 2, Wire32 = 5;

    private readonly List<ReadOnlyMemory<byte>> _parts = [];

    /// <summary>Bytes of the message.</summary>
    public long Length { get; private set; }

    public ProtoMessage Integer(int field, long value)
    {
        using var bytes = new MemoryStream();
        Tag(bytes, field, WireVarint);
        Varint.Write(bytes, (ulong)value);
        return Append(bytes.ToArray());
    }

    public ProtoMessage Single(int field, float value)
    {
        using var bytes = new MemoryStream();
        Tag(bytes, field, Wire32);
        Span<byte> raw = stackalloc byte[sizeof(float)];
        BinaryPrimitives.WriteSingleLittleEndian(raw, value);
        bytes.Write(raw);
        return Append(bytes.ToArray());
    }

    public ProtoMessage Double(int field, double value)
    {
        using var bytes = new MemoryStream();
        Tag(bytes, field, Wire64);
        Span<byte> raw = stackalloc byte[sizeof(double)];
        BinaryPrimitives.WriteDoubleLittleEndian(raw, value);
        bytes.Write(raw);
        return Append(bytes.ToArray());
    }

    public ProtoMessage Text(int field, string value) => Bytes(field, Encoding.UTF8.GetBytes(value));

    /// <summary>Floats, packed: a repeated field, or raw data.</summary>
    public ProtoMessage Singles(int field, float[] values) => Bytes(field, MemoryMarshal.AsBytes(values.AsSpan()).ToArray());

    /// <summary>Doubles of a repeated field, packed.</summary>
    public ProtoMessage Doubles(int field, double[] values) => Bytes(field, MemoryMarshal.AsBytes(values.AsSpan()).ToArray());

    /// <summary>Whole numbers of a repeated field, packed.</summary>
    public ProtoMessage Integers(int field, params IEnumerable<long> values)
    {
        using var bytes = new MemoryStream();
        foreach (long value in values) Varint.Write(bytes, (ulong)value);
        return Bytes(field, bytes.ToArray());
    }

    public ProtoMessage Bytes(int field, ReadOnlyMemory<byte> value)
    {
        Head(field, value.Length);
        return Append(value);
    }

    public ProtoMessage Message(int field, ProtoMessage value)
    {
        Head(field, value.Length);
        _parts.AddRange(value._parts);
        Length += value.Length;
        return this;
    }

    public void WriteTo(Stream stream)
    {
        foreach (ReadOnlyMemory<byte> part in _parts) stream.Write(part.Span);
    }

    public byte[] ToArray()
    {
        using var stream = new MemoryStream(checked((int)Length));
        WriteTo(stream);
        return stream.ToArray();
    }

    private void Head(int field, long length)
    {
        using var bytes = new MemoryStream();
        Tag(bytes, field, WireBytes);
        Varint.Write(bytes, (ulong)length);
        Append(bytes.ToArray());
    }

    private ProtoMessage Append(ReadOnlyMemory<byte> part)
    {
        _parts.Add(part);
        Length += part.Length;
        return this;
    }

    private static void Tag(Stream stream, int field, int wire) => Varint.Write(stream, (ulong)(field << 3 | wire));
}
