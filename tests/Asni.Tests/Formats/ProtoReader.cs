using System.Buffers.Binary;
using System.Text;

namespace Asni.Tests.Formats;

/// <summary>A protobuf message taken apart, independently of what writes them: field numbers with their raw values, in order.</summary>
internal sealed class ProtoReader
{
    private readonly List<(int Field, object Value)> _fields = [];

    public ProtoReader(ReadOnlySpan<byte> bytes)
    {
        while (!bytes.IsEmpty)
        {
            ulong tag = Varint(ref bytes);
            object value;
            switch (tag & 7)
            {
                case 0:
                    value = (long)Varint(ref bytes);
                    break;
                case 1:
                    value = BinaryPrimitives.ReadDoubleLittleEndian(bytes);
                    bytes = bytes[8..];
                    break;
                case 2:
                    int length = checked((int)Varint(ref bytes));
                    value = bytes[..length].ToArray();
                    bytes = bytes[length..];
                    break;
                case 5:
                    value = BinaryPrimitives.ReadSingleLittleEndian(bytes);
                    bytes = bytes[4..];
                    break;
                default:
                    throw new InvalidDataException($"wire type {tag & 7}");
            }
            _fields.Add(((int)(tag >> 3), value));
        }
    }

    public IEnumerable<T> All<T>(int field) => _fields.Where(f => f.Field == field).Select(f => (T)f.Value);

    public bool Has(int field) => _fields.Any(f => f.Field == field);

    public long Integer(int field) => All<long>(field).Single();

    public string Text(int field) => Texts(field).Single();

    public List<string> Texts(int field) => [.. All<byte[]>(field).Select(b => Encoding.UTF8.GetString(b))];

    public IEnumerable<ProtoReader> Messages(int field) => All<byte[]>(field).Select(b => new ProtoReader(b));

    public ProtoReader Message(int field) => Messages(field).Single();

    private static ulong Varint(ref ReadOnlySpan<byte> bytes)
    {
        ulong value = 0;
        for (int shift = 0; ; shift += 7)
        {
            byte b = bytes[0];
            bytes = bytes[1..];
            value |= (ulong)(b & 0x7F) << shift;
            if (b < 0x80) return value;
        }
    }
}
