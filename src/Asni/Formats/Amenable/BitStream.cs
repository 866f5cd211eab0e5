namespace Asni.Formats.Amenable;

/// <summary>Bits into bytes: the first bit is the lowest bit of the first byte; the last byte is filled with zeros.</summary>
internal sealed class BitWriter
{
    private readonly MemoryStream _bytes = new();
    private ulong _pending;
    private int _count;

    /// <param name="bits">0 to 56.</param>
    public void Write(ulong value, int bits)
    {
        _pending |= value << _count;
        _count += bits;
        while (_count >= 8)
        {
            _bytes.WriteByte((byte)_pending);
            _pending >>= 8;
            _count -= 8;
        }
    }

    /// <summary>As many ones, then a zero.</summary>
    public void WriteUnary(long ones)
    {
        const int max = 32;
        for (; ones >= max; ones -= max) Write(uint.MaxValue, max);
        Write((1UL << (int)ones) - 1, (int)ones + 1);
    }

    public byte[] ToArray()
    {
        if (_count > 0) Write(0, 8 - _count);
        return _bytes.ToArray();
    }
}

/// <summary>Reads what <see cref="BitWriter"/> wrote. Past the end it reads zeros and <see cref="Overran"/> says so.</summary>
internal ref struct BitReader(ReadOnlySpan<byte> bytes)
{
    private readonly ReadOnlySpan<byte> _bytes = bytes;
    private ulong _pending;
    private int _count;
    private int _next;

    /// <summary>More bits were read than there are.</summary>
    public readonly bool Overran => _next > _bytes.Length;

    /// <summary>Every byte was read from, and the bits that fill the last one are zeros.</summary>
    public readonly bool AtEnd => _next == _bytes.Length && _count < 8 && _pending == 0;

    /// <param name="bits">0 to 32.</param>
    public ulong Read(int bits)
    {
        while (_count < bits) Fill();
        ulong value = _pending & ((1UL << bits) - 1);
        _pending >>= bits;
        _count -= bits;
        return value;
    }

    /// <summary>Ones before the next zero, which is read too; more than <paramref name="limit"/> when there are too many.</summary>
    public long ReadUnary(long limit)
    {
        long ones = 0;
        while (ones <= limit && Read(1) == 1) ones++;
        return ones;
    }

    private void Fill()
    {
        if (_next < _bytes.Length) _pending |= (ulong)_bytes[_next] << _count;
        _next++;
        _count += 8;
    }
}
