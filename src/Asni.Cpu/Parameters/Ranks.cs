using Asni.Devices;

namespace Asni.Cpu;

/// <summary>How floats rank: as a register that compares, and as an unsigned integer, the key, that orders as they do.</summary>
internal interface IRank
{
    static abstract V Rank<L, V>(V x) where L : struct, ILanes<V> where V : struct;
    static abstract float Rank(float x);

    /// <param name="bits">Of a float. What is no number has a key above infinity's.</param>
    static abstract uint Key(uint bits);

    /// <summary>The number that has this key, or the next one that has a key.</summary>
    static abstract float Number(uint key);
}

/// <summary><see cref="Ranking.Magnitude"/>.</summary>
internal readonly struct ByMagnitude : IRank
{
    public static V Rank<L, V>(V x) where L : struct, ILanes<V> where V : struct => L.Abs(x);
    public static float Rank(float x) => MathF.Abs(x);
    public static uint Key(uint bits) => bits << 1;
    public static float Number(uint key) => BitConverter.UInt32BitsToSingle(Math.Min(key, 0xFF00_0000) >> 1);
}

/// <summary><see cref="Ranking.Score"/>: both zeros have the key of +0.</summary>
internal readonly struct ByScore : IRank
{
    private const uint Sign = 0x8000_0000, Infinity = Sign | 0x7F80_0000, MinusInfinity = ~0xFF80_0000, MinusZero = ~Sign;

    public static V Rank<L, V>(V x) where L : struct, ILanes<V> where V : struct => x;
    public static float Rank(float x) => x;

    public static uint Key(uint bits)
    {
        if (bits << 1 > 0xFF00_0000) return uint.MaxValue;
        return (bits & Sign) == 0 ? bits | Sign : bits == Sign ? Sign : ~bits;
    }

    public static float Number(uint key)
    {
        key = Math.Clamp(key, MinusInfinity, Infinity);
        if (key == MinusZero) key--;
        return BitConverter.UInt32BitsToSingle((key & Sign) != 0 ? key ^ Sign : ~key);
    }
}
