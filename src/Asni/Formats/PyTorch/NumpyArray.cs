using System.Buffers.Binary;
using System.Text;

namespace Asni.Formats.PyTorch;

/// <summary>An array of NumPy in a pickle: its dimensions, its type as NumPy writes it ("u1", "i8"), and its little-endian elements in row-major order.</summary>
internal sealed record NumpyArray(long[] Dims, string Type, ReadOnlyMemory<byte> Data)
{
    private const string Reconstruct = "multiarray._reconstruct", DType = "numpy.dtype";

    /// <summary>
    /// What the pickle would have NumPy build: numpy.core.multiarray._reconstruct(...), then the state (version, shape, type, whether in column-major
    /// order, bytes). Null when it is no array, or one of another order than row-major or of a shape that its bytes do not fill.
    /// </summary>
    public static NumpyArray? TryCreate(object? value)
    {
        if (value is not PickleCall { State: object[] { Length: 5 } state } call || !call.Function.StartsWith("numpy.", StringComparison.Ordinal)
            || !call.Function.EndsWith(Reconstruct, StringComparison.Ordinal)) return null;
        if (state[1] is not object[] shape || !shape.All(d => d is long and >= 0) || state[3] is not false || BytesOf(state[4]) is not { } data) return null;
        if (state[2] is not PickleCall { Function: DType, Arguments: [{ } code, ..] } type || PickleBytes.TextOf(code) is not { } name) return null;
        if (type.State is object[] { Length: > 1 } details && PickleBytes.TextOf(details[1]) == ">") return null;
        var array = new NumpyArray([.. shape.Cast<long>()], name, data);
        return name.Length == 2 && char.IsAsciiDigit(name[1]) && array.Elements is { } elements && elements == (UInt128)data.Length / (uint)(name[1] - '0')
            && (UInt128)data.Length == elements * (uint)(name[1] - '0') ? array : null;
    }

    /// <summary>Bytes as any protocol has them; null for anything else.</summary>
    public static ReadOnlyMemory<byte>? BytesOf(object? value) => value switch
    {
        PickleBytes bytes => bytes.Bytes,
        string text when text.All(c => c <= byte.MaxValue) => Encoding.Latin1.GetBytes(text),
        _ => null,
    };

    /// <summary>The elements of an array of integers; null for other types.</summary>
    public long[]? Integers()
    {
        int size = Type[1] - '0';
        if (Type[0] is not ('i' or 'u') || size is not (1 or 2 or 4 or 8)) return null;
        var values = new long[Data.Length / size];
        for (int i = 0; i < values.Length; i++)
        {
            ReadOnlySpan<byte> element = Data.Span.Slice(i * size, size);
            values[i] = size switch
            {
                1 => Type[0] == 'i' ? (sbyte)element[0] : element[0],
                2 => Type[0] == 'i' ? BinaryPrimitives.ReadInt16LittleEndian(element) : BinaryPrimitives.ReadUInt16LittleEndian(element),
                4 => Type[0] == 'i' ? BinaryPrimitives.ReadInt32LittleEndian(element) : BinaryPrimitives.ReadUInt32LittleEndian(element),
                _ => BinaryPrimitives.ReadInt64LittleEndian(element),
            };
        }
        return values;
    }

    private UInt128? Elements
    {
        get
        {
            UInt128 count = 1;
            foreach (long dim in Dims)
                if ((count *= (UInt128)dim) > long.MaxValue) return null;
            return count;
        }
    }
}
