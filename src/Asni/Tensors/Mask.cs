using System.Numerics;

namespace Asni.Tensors;

/// <summary>
/// Which elements of one parameter live: one bit an element, in the parameter's PyTorch (row-major) order; 1 = live, 0 = pruned.
/// </summary>
public sealed class Mask
{
    private readonly ulong[] _words;

    public Mask(long length, bool live = true)
    {
        ArgumentOutOfRangeException.ThrowIfNegative(length);
        Length = length;
        _words = new ulong[(length + 63) / 64];
        if (!live) return;
        Array.Fill(_words, ulong.MaxValue);
        ClearTail();
    }

    private Mask(long length, ulong[] words) => (Length, _words) = (length, words);

    public long Length { get; }

    /// <summary>The bits, 64 a word, lowest bit first; bits past <see cref="Length"/> are 0.</summary>
    public ReadOnlySpan<ulong> Words => _words;

    public bool this[long index]
    {
        get => (_words[index >> 6] >> (int)(index & 63) & 1) != 0;
        set
        {
            ulong bit = 1UL << (int)(index & 63);
            if (value) _words[index >> 6] |= bit; else _words[index >> 6] &= ~bit;
        }
    }

    /// <summary>Number of live elements.</summary>
    public long Live
    {
        get
        {
            long n = 0;
            foreach (ulong word in _words) n += BitOperations.PopCount(word);
            return n;
        }
    }

    /// <summary>Number of live elements among <paramref name="count"/> from <paramref name="start"/> on.</summary>
    internal long LiveIn(long start, long count)
    {
        if (count == 0) return 0;
        (long first, long last) = (start >> 6, (start + count - 1) >> 6);
        ulong fromStart = ulong.MaxValue << (int)(start & 63), toEnd = ulong.MaxValue >> (int)(63 - ((start + count - 1) & 63));
        if (first == last) return BitOperations.PopCount(_words[first] & fromStart & toEnd);
        long n = BitOperations.PopCount(_words[first] & fromStart) + BitOperations.PopCount(_words[last] & toEnd);
        for (long i = first + 1; i < last; i++) n += BitOperations.PopCount(_words[i]);
        return n;
    }

    /// <summary>What lives in another mask of this length lives here too.</summary>
    internal void Add(Mask other)
    {
        for (int i = 0; i < _words.Length; i++) _words[i] |= other._words[i];
    }

    /// <summary>Elements that live in one of two masks of this length, and not in the other.</summary>
    internal long CountDifferences(Mask other)
    {
        long n = 0;
        for (int i = 0; i < _words.Length; i++) n += BitOperations.PopCount(_words[i] ^ other._words[i]);
        return n;
    }

    public Mask Clone() => new(Length, (ulong[])_words.Clone());

    /// <summary>True when every element that lives here lives in <paramref name="other"/> too.</summary>
    public bool IsSubsetOf(Mask other)
    {
        if (other.Length != Length) return false;
        for (int i = 0; i < _words.Length; i++)
            if ((_words[i] & ~other._words[i]) != 0) return false;
        return true;
    }

    private void ClearTail()
    {
        if ((Length & 63) != 0) _words[^1] &= (1UL << (int)(Length & 63)) - 1;
    }
}
