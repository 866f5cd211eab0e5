using System.Runtime.CompilerServices;

namespace Asni.Cpu;

/// <summary>
/// A row of a register tile: <typeparamref name="N"/> vectors, 1, 2 or 4. As a local whose address is not taken it stays in registers: the JIT
/// makes locals of a struct's fields when there are at most four. An array of vectors would go through memory.
/// </summary>
internal unsafe struct TileRow<L, V, N> where L : struct, ILanes<V> where V : struct where N : struct, IConstant
{
    private V _0, _1, _2, _3;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static TileRow<L, V, N> Load(float* from)
    {
        TileRow<L, V, N> row = default;
        row._0 = L.Load(from);
        if (N.Value > 1) row._1 = L.Load(from + L.Count);
        if (N.Value > 2)
        {
            row._2 = L.Load(from + 2 * L.Count);
            row._3 = L.Load(from + 3 * L.Count);
        }
        return row;
    }

    /// <summary>Adds a * b.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public void AddProduct(float a, in TileRow<L, V, N> b)
    {
        V factor = L.Create(a);
        _0 = L.Fma(factor, b._0, _0);
        if (N.Value > 1) _1 = L.Fma(factor, b._1, _1);
        if (N.Value > 2)
        {
            _2 = L.Fma(factor, b._2, _2);
            _3 = L.Fma(factor, b._3, _3);
        }
    }

    /// <summary>Adds a * b, each vector of b read where it is multiplied.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public void AddProduct(V a, float* b)
    {
        _0 = L.Fma(a, L.Load(b), _0);
        if (N.Value > 1) _1 = L.Fma(a, L.Load(b + L.Count), _1);
        if (N.Value > 2)
        {
            _2 = L.Fma(a, L.Load(b + 2 * L.Count), _2);
            _3 = L.Fma(a, L.Load(b + 3 * L.Count), _3);
        }
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public readonly void Store(float* to)
    {
        L.Store(_0, to);
        if (N.Value > 1) L.Store(_1, to + L.Count);
        if (N.Value > 2)
        {
            L.Store(_2, to + 2 * L.Count);
            L.Store(_3, to + 3 * L.Count);
        }
    }

    /// <summary>Stores the row cut off at both ends. Max and Min give their second argument for NaN: a NaN stays visible.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public readonly void StoreClamped(V floor, V ceiling, float* to)
    {
        L.Store(L.Min(ceiling, L.Max(floor, _0)), to);
        if (N.Value > 1) L.Store(L.Min(ceiling, L.Max(floor, _1)), to + L.Count);
        if (N.Value > 2)
        {
            L.Store(L.Min(ceiling, L.Max(floor, _2)), to + 2 * L.Count);
            L.Store(L.Min(ceiling, L.Max(floor, _3)), to + 3 * L.Count);
        }
    }
}
