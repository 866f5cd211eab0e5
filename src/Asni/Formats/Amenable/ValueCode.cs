using System.Buffers.Binary;
using System.Numerics;
using System.Runtime.InteropServices;

namespace Asni.Formats.Amenable;

/// <summary>How a file has the values of a tensor's live elements. The numbers are those in the file.</summary>
internal enum ValueCoding : byte
{
    /// <summary>One number for all.</summary>
    Constant = 0,
    /// <summary>Two numbers and one bit an element, with a list of the elements that are neither.</summary>
    TwoNumbers = 1,
    Single = 2,
    Half = 3,
    /// <summary>A list of numbers and for each element its place there. From version 3 on.</summary>
    Levels = 4,
}

internal readonly record struct CodedValues(ValueCoding Coding, byte[] Bytes);

/// <summary>Codes of live values, in row-major order: the shortest that gives them back bit for bit, or 16-bit floats when asked for.</summary>
internal static class ValueCode
{
    /// <summary>More different values than this are not two numbers with exceptions.</summary>
    private const int MaxDifferent = 64;

    /// <summary>The longest list of numbers: a place in it takes 16 bits.</summary>
    private const int MaxLevels = 1 << 16;

    private const int HeadOfTwo = 2 * sizeof(float);

    public static CodedValues Encode(ReadOnlySpan<float> live, bool half)
    {
        if (Census(live) is { } census)
        {
            if (census.Count <= 1) return new CodedValues(ValueCoding.Constant, Floats(census.Count == 1 ? [live[0]] : [0f]));
            byte[]? two = census.Count <= MaxDifferent ? TwoNumbers(live, census) : null;
            long floats = (half ? 2 : sizeof(float)) * (long)live.Length, levels = LevelBytes(census.Count, live.Length);
            if (two is not null && two.Length < floats && two.Length <= levels) return new CodedValues(ValueCoding.TwoNumbers, two);
            if (levels < floats) return new CodedValues(ValueCoding.Levels, Levels(live, census));
        }
        if (half && Halves(live) is { } halves) return new CodedValues(ValueCoding.Half, halves);
        return new CodedValues(ValueCoding.Single, Floats(live));
    }

    /// <summary><paramref name="bad"/> makes the error of a code that does not give as many values.</summary>
    public static float[] Decode(ValueCoding coding, ReadOnlySpan<byte> bytes, int count, Func<string, AsniException> bad)
    {
        var values = new float[count];
        long needed = coding switch
        {
            ValueCoding.Constant => sizeof(float),
            ValueCoding.TwoNumbers => HeadOfTwo + (count + 7L) / 8,
            ValueCoding.Single => sizeof(float) * (long)count,
            ValueCoding.Half => 2L * count,
            ValueCoding.Levels => LevelBytes(LevelCount(bytes, bad), count),
            _ => throw bad($"the unknown value coding {(byte)coding}"),
        };
        if (bytes.Length < needed || (bytes.Length > needed && coding != ValueCoding.TwoNumbers))
            throw bad($"{bytes.Length} bytes of values where {needed} are needed");
        switch (coding)
        {
            case ValueCoding.Constant:
                Array.Fill(values, BinaryPrimitives.ReadSingleLittleEndian(bytes));
                break;
            case ValueCoding.TwoNumbers:
                FromTwoNumbers(bytes, values, bad);
                break;
            case ValueCoding.Levels:
                FromLevels(bytes, values, bad);
                break;
            case ValueCoding.Single:
                bytes.CopyTo(MemoryMarshal.AsBytes(values.AsSpan()));
                break;
            default:
                for (int i = 0; i < count; i++) values[i] = (float)BinaryPrimitives.ReadHalfLittleEndian(bytes[(2 * i)..]);
                break;
        }
        return values;
    }

    /// <summary>How often each value occurs, by its bits; null when there are too many different ones.</summary>
    private static Dictionary<uint, int>? Census(ReadOnlySpan<float> live)
    {
        var counts = new Dictionary<uint, int>();
        foreach (float value in live)
        {
            ref int count = ref CollectionsMarshal.GetValueRefOrAddDefault(counts, BitConverter.SingleToUInt32Bits(value), out _);
            count++;
            if (counts.Count > MaxLevels) return null;
        }
        return counts;
    }

    private static byte[] TwoNumbers(ReadOnlySpan<float> live, Dictionary<uint, int> census)
    {
        float[] numbers = [.. census.OrderByDescending(c => c.Value).ThenBy(c => c.Key).Take(2)
            .Select(c => BitConverter.UInt32BitsToSingle(c.Key)).OrderDescending()];
        (uint first, uint second) = (BitConverter.SingleToUInt32Bits(numbers[0]), BitConverter.SingleToUInt32Bits(numbers[1]));
        var bits = new BitWriter();
        using var others = new MemoryStream();
        int next = 0;
        for (int i = 0; i < live.Length; i++)
        {
            uint value = BitConverter.SingleToUInt32Bits(live[i]);
            bits.Write(value == first ? 1UL : 0, 1);
            if (value == first || value == second) continue;
            Varint.Write(others, (ulong)(i - next));
            others.Write(Floats([live[i]]));
            next = i + 1;
        }
        return [.. Floats(numbers), .. bits.ToArray(), .. others.ToArray()];
    }

    private static void FromTwoNumbers(ReadOnlySpan<byte> bytes, float[] values, Func<string, AsniException> bad)
    {
        float first = BinaryPrimitives.ReadSingleLittleEndian(bytes), second = BinaryPrimitives.ReadSingleLittleEndian(bytes[sizeof(float)..]);
        ReadOnlySpan<byte> bits = bytes[HeadOfTwo..];
        for (int i = 0; i < values.Length; i++) values[i] = (bits[i >> 3] >> (i & 7) & 1) != 0 ? first : second;
        ReadOnlySpan<byte> others = bits[((values.Length + 7) / 8)..];
        long next = 0;
        while (!others.IsEmpty)
        {
            if (!Varint.TryRead(ref others, out ulong gap) || gap >= (ulong)(values.Length - next) || others.Length < sizeof(float))
                throw bad("a damaged list of further values");
            next += (long)gap;
            values[next++] = BinaryPrimitives.ReadSingleLittleEndian(others);
            others = others[sizeof(float)..];
        }
    }

    private static long LevelBytes(int levels, long count) => sizeof(int) + sizeof(float) * (long)levels + (count * PlaceBits(levels) + 7) / 8;

    /// <summary>Of a place in a list of at least 2.</summary>
    private static int PlaceBits(int levels) => BitOperations.Log2((uint)levels - 1) + 1;

    private static int LevelCount(ReadOnlySpan<byte> bytes, Func<string, AsniException> bad) =>
        bytes.Length >= sizeof(int) && BinaryPrimitives.ReadUInt32LittleEndian(bytes) is >= 2 and <= MaxLevels and var count ? (int)count : throw bad("a damaged list of numbers");

    private static byte[] Levels(ReadOnlySpan<float> live, Dictionary<uint, int> census)
    {
        float[] numbers = [.. census.Keys.Select(BitConverter.UInt32BitsToSingle).OrderDescending().ThenBy(BitConverter.SingleToUInt32Bits)];
        Dictionary<uint, int> places = numbers.Select(BitConverter.SingleToUInt32Bits).Index().ToDictionary(n => n.Item, n => n.Index);
        var head = new byte[sizeof(int)];
        BinaryPrimitives.WriteInt32LittleEndian(head, numbers.Length);
        var bits = new BitWriter();
        foreach (float value in live) bits.Write((ulong)places[BitConverter.SingleToUInt32Bits(value)], PlaceBits(numbers.Length));
        return [.. head, .. Floats(numbers), .. bits.ToArray()];
    }

    private static void FromLevels(ReadOnlySpan<byte> bytes, float[] values, Func<string, AsniException> bad)
    {
        int levels = LevelCount(bytes, bad);
        ReadOnlySpan<byte> numbers = bytes.Slice(sizeof(int), sizeof(float) * levels);
        var places = new BitReader(bytes[(sizeof(int) + numbers.Length)..]);
        for (int i = 0; i < values.Length; i++)
        {
            int place = (int)places.Read(PlaceBits(levels));
            if (place >= levels) throw bad("a number that is not in its list");
            values[i] = BinaryPrimitives.ReadSingleLittleEndian(numbers[(sizeof(float) * place)..]);
        }
        if (!places.AtEnd) throw bad("a damaged list of places");
    }

    private static byte[] Floats(ReadOnlySpan<float> values) => MemoryMarshal.AsBytes(values).ToArray();

    /// <summary>Null when a value is too large for 16 bits.</summary>
    private static byte[]? Halves(ReadOnlySpan<float> values)
    {
        var bytes = new byte[2 * values.Length];
        for (int i = 0; i < values.Length; i++)
        {
            var half = (Half)values[i];
            if (!Half.IsFinite(half) && float.IsFinite(values[i])) return null;
            BinaryPrimitives.WriteHalfLittleEndian(bytes.AsSpan(2 * i), half);
        }
        return bytes;
    }
}
