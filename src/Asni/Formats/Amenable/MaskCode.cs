using System.Numerics;
using Asni.Tensors;

namespace Asni.Formats.Amenable;

/// <summary>How a file says which elements of a tensor live. The numbers are those in the file.</summary>
internal enum MaskCoding : byte
{
    /// <summary>All live: nothing is stored.</summary>
    AllLive = 0,
    /// <summary>One bit an element, 1 = live.</summary>
    Bits = 1,
    /// <summary>Rice-coded gaps between live elements.</summary>
    LiveGaps = 2,
    /// <summary>Rice-coded gaps between pruned elements.</summary>
    PrunedGaps = 3,
}

/// <summary>A mask as the file has it. <paramref name="Parameter"/> is Rice's: the number of low bits stored as they are.</summary>
internal readonly record struct CodedMask(MaskCoding Coding, byte Parameter, long Live, byte[] Bytes);

/// <summary>
/// Entropy codes of masks. The rarer kind of element is listed by its gaps (how many of the other kind stand before it), each gap g in Rice's
/// code (Rice and Plaunt 1971): g >> k in unary, then k low bits. With the best k per tensor that is within 5 % of the entropy of independent
/// bits at any sparsity from 50 % up; where it is no shorter than a bit an element, the bits themselves are stored.
/// </summary>
internal static class MaskCode
{
    public const int LargestParameter = 30;

    public static CodedMask Encode(Mask? mask, long elements)
    {
        long live = mask?.Live ?? elements;
        if (live == elements) return new CodedMask(MaskCoding.AllLive, 0, live, []);
        bool listLive = 2 * live <= elements;
        long[] costs = Costs(mask!, listLive);
        int best = Array.IndexOf(costs, costs.Min());
        if (costs[best] >= elements) return new CodedMask(MaskCoding.Bits, 0, live, Bits(mask!));
        MaskCoding coding = listLive ? MaskCoding.LiveGaps : MaskCoding.PrunedGaps;
        return new CodedMask(coding, (byte)best, live, Gaps(mask!, listLive, best));
    }

    /// <summary>Null when all live. <paramref name="bad"/> makes the error of a code that does not give such a mask.</summary>
    public static Mask? Decode(MaskCoding coding, int parameter, long live, ReadOnlySpan<byte> bytes, long elements, Func<string, AsniException> bad)
    {
        if (live < 0 || live > elements) throw bad($"{live} live elements of {elements}");
        switch (coding)
        {
            case MaskCoding.AllLive:
                if (live != elements || bytes.Length != 0) throw bad("a mask that says all live and yet is stored");
                return null;
            case MaskCoding.Bits:
                if (bytes.Length != (elements + 7) / 8) throw bad($"{bytes.Length} bytes of mask bits for {elements} elements");
                Mask mask = FromBits(bytes, elements);
                if (mask.Live != live) throw bad($"a mask of {mask.Live} live elements where {live} are announced");
                return mask;
            case MaskCoding.LiveGaps or MaskCoding.PrunedGaps when parameter <= LargestParameter:
                return FromGaps(coding == MaskCoding.LiveGaps, parameter, live, bytes, elements, bad);
            default:
                throw bad($"the unknown mask coding {(byte)coding}");
        }
    }

    private static byte[] Bits(Mask mask)
    {
        var bytes = new byte[(mask.Length + 7) / 8];
        for (int i = 0; i < bytes.Length; i++) bytes[i] = (byte)(mask.Words[i / 8] >> (i % 8 * 8));
        return bytes;
    }

    private static Mask FromBits(ReadOnlySpan<byte> bytes, long elements)
    {
        var mask = new Mask(elements, live: false);
        for (long i = 0; i < elements; i++)
            if ((bytes[(int)(i / 8)] >> (int)(i % 8) & 1) != 0) mask[i] = true;
        return mask;
    }

    /// <summary>Bits that the gaps take, by parameter.</summary>
    private static long[] Costs(Mask mask, bool live)
    {
        var costs = new long[LargestParameter + 1];
        long next = 0;
        foreach (long position in Positions(mask, live))
        {
            long gap = position - next;
            next = position + 1;
            for (int k = 0; k < costs.Length; k++) costs[k] += (gap >> k) + 1 + k;
        }
        return costs;
    }

    private static byte[] Gaps(Mask mask, bool live, int parameter)
    {
        var bits = new BitWriter();
        long next = 0;
        foreach (long position in Positions(mask, live))
        {
            long gap = position - next;
            next = position + 1;
            bits.WriteUnary(gap >> parameter);
            bits.Write((ulong)gap & ((1UL << parameter) - 1), parameter);
        }
        return bits.ToArray();
    }

    private static Mask FromGaps(bool listLive, int parameter, long live, ReadOnlySpan<byte> bytes, long elements, Func<string, AsniException> bad)
    {
        var mask = new Mask(elements, live: !listLive);
        var bits = new BitReader(bytes);
        long next = 0;
        for (long left = listLive ? live : elements - live; left > 0; left--)
        {
            long high = bits.ReadUnary((elements - next) >> parameter);
            long position = next + (high << parameter) + (long)bits.Read(parameter);
            if (position >= elements || bits.Overran) throw bad("mask positions beyond the tensor's end");
            mask[position] = listLive;
            next = position + 1;
        }
        if (!bits.AtEnd) throw bad("mask bytes left over");
        return mask;
    }

    /// <summary>Indices of the live (or pruned) elements, ascending.</summary>
    internal static IEnumerable<long> Positions(Mask mask, bool live)
    {
        for (int w = 0; w < mask.Words.Length; w++)
        {
            ulong word = live ? mask.Words[w] : ~mask.Words[w];
            for (; word != 0; word &= word - 1)
            {
                long position = 64L * w + BitOperations.TrailingZeroCount(word);
                if (position >= mask.Length) yield break;
                yield return position;
            }
        }
    }
}
