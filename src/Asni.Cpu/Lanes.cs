using System.Runtime.Intrinsics;

namespace Asni.Cpu;

/// <summary>
/// The vector operations that kernels are written in, on a register <typeparamref name="V"/> of <see cref="Count"/> floats. A comparison gives
/// a register of all-ones and all-zeros lanes. Max and Min give the second argument when either is NaN.
/// </summary>
internal unsafe interface ILanes<V> where V : struct
{
    static abstract int Count { get; }
    static abstract V Create(float x);
    static abstract V Load(float* p);
    static abstract void Store(V x, float* p);

    /// <summary>The first <paramref name="count"/> lanes, fewer than all, with 0 in the others; nothing behind them is read.</summary>
    static abstract V LoadFirst(float* p, int count);

    /// <summary>The first <paramref name="count"/> lanes, fewer than all; nothing behind them is written.</summary>
    static abstract void StoreFirst(V x, float* p, int count);

    /// <summary>
    /// Past the caches, to an address that is a multiple of the register's size: for what they would have forgotten when it is read again. Lines must be
    /// written whole, one after another. The end of a parallel region makes it seen.
    /// </summary>
    static abstract void StoreNonTemporal(V x, float* p);
    static abstract V Add(V a, V b);
    static abstract V Subtract(V a, V b);
    static abstract V Multiply(V a, V b);
    static abstract V Divide(V a, V b);

    /// <summary>a * b + c: rounded once where the processor has fused multiply-adds, else after the product too, because to fuse in software is ten times slower.</summary>
    static abstract V Fma(V a, V b, V c);
    static abstract V Sqrt(V a);

    /// <summary>e^a, within one unit in the last place; infinity where that is too large.</summary>
    static abstract V Exp(V a);
    /// <summary>Of 0 minus infinity.</summary>
    static abstract V Log(V a);
    static abstract V Abs(V a);
    static abstract V Max(V a, V b);
    static abstract V Min(V a, V b);
    static abstract V Greater(V a, V b);
    static abstract V GreaterOrEqual(V a, V b);
    static abstract V Equal(V a, V b);
    static abstract V IsNaN(V a);
    static abstract V And(V a, V b);

    /// <summary>The sum of all lanes, in an order of its own.</summary>
    static abstract float Sum(V a);

    /// <summary>The sums of the lanes of each of eight registers.</summary>
    static abstract Vector256<float> Sums(V a0, V a1, V a2, V a3, V a4, V a5, V a6, V a7);

    /// <summary>a and not b.</summary>
    static abstract V AndNot(V a, V b);
    static abstract V Or(V a, V b);
    static abstract V Select(V mask, V a, V b);

    /// <summary>A bit a lane, lane 0 lowest: the lane's sign bit.</summary>
    static abstract uint Bits(V mask);

    /// <summary>The lane mask of the lowest bits.</summary>
    static abstract V Mask(uint bits);

    /// <summary>sums[i] += x[i], in double.</summary>
    static abstract void AddTo(V x, double* sums);

    /// <summary>The lower lanes of x added to a register of half as many doubles.</summary>
    static abstract V AddLowerInDouble(V doubles, V x);

    /// <summary>The upper lanes of x added to a register of half as many doubles.</summary>
    static abstract V AddUpperInDouble(V doubles, V x);

    /// <summary>Lane mask of bytes[i] == value.</summary>
    static abstract V BytesEqual(byte* bytes, int value);

    /// <summary>Lanes that hold the integer <paramref name="x"/>, for <see cref="Select"/> and <see cref="StoreBytes"/> only.</summary>
    static abstract V CreateInteger(int x);

    /// <summary>Stores integers 0..255 as bytes.</summary>
    static abstract void StoreBytes(V integers, byte* bytes);

    /// <summary>Loads bytes 0..255 as floats.</summary>
    static abstract V LoadBytes(byte* bytes);
}
