using System.Runtime.CompilerServices;

namespace Asni.Cpu.Convolution;

/// <summary>What happens to a row of a register tile on its way out: y = clamp(tile + bias + y).</summary>
/// <param name="nonTemporal">Stores go past the caches: y must be aligned, and whole vectors wide.</param>
internal readonly unsafe struct Epilogue(int columns, float* bias, bool add, Clamp clamp = default, bool nonTemporal = false)
{
    private readonly int _columns = columns;
    private readonly float* _bias = bias;
    private readonly bool _add = add;
    private readonly Clamp _clamp = clamp;
    private readonly bool _nonTemporal = nonTemporal;

    /// <summary>Nothing but a copy.</summary>
    public bool IsPlain => _bias == null && !_add && _clamp.IsNone && !_nonTemporal;

    /// <summary>Whether register tiles can do all of it, by what they start with and cut off.</summary>
    public bool SuitsTiles => !_add && !_nonTemporal;

    /// <summary>What tiles do of it then; <paramref name="zeros"/> is what they begin with when there is no bias.</summary>
    public TileEnds TileEnds(float* zeros) =>
        new(_bias != null ? _bias : zeros, _clamp.Below ? 0 : float.NegativeInfinity, _clamp.Above ? 6 : float.PositiveInfinity);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public void Store<L, V>(float* tile, float* y) where L : struct, ILanes<V> where V : struct
    {
        int n = 0;
        for (; n <= _columns - L.Count; n += L.Count)
        {
            V x = L.Load(tile + n);
            if (_bias != null) x = L.Add(x, L.Load(_bias + n));
            if (_add) x = L.Add(x, L.Load(y + n));
            if (_nonTemporal) L.StoreNonTemporal(Clamped<L, V>(x), y + n);
            else L.Store(Clamped<L, V>(x), y + n);
        }
        if (n < _columns) StoreRest<L, V>(tile + n, n, _columns - n, y + n);
    }

    /// <summary>Bias and clamp of a vector of channels, from <paramref name="n"/> on, that is still in a register.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public V Finish<L, V>(V x, int n) where L : struct, ILanes<V> where V : struct => Clamped<L, V>(_bias != null ? L.Add(x, L.Load(_bias + n)) : x);

    /// <summary>The same of the first lanes of one.</summary>
    public V FinishFirst<L, V>(V x, int n, int count) where L : struct, ILanes<V> where V : struct => Clamped<L, V>(_bias != null ? L.Add(x, L.LoadFirst(_bias + n, count)) : x);

    private void StoreRest<L, V>(float* tile, int n, int count, float* y) where L : struct, ILanes<V> where V : struct
    {
        V x = L.LoadFirst(tile, count);
        if (_bias != null) x = L.Add(x, L.LoadFirst(_bias + n, count));
        if (_add) x = L.Add(x, L.LoadFirst(y, count));
        L.StoreFirst(Clamped<L, V>(x), y, count);
    }

    /// <summary>Max and Min give their second argument for NaN: a NaN stays visible.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private V Clamped<L, V>(V x) where L : struct, ILanes<V> where V : struct
    {
        if (_clamp.Below) x = L.Max(L.Create(0f), x);
        return _clamp.Above ? L.Min(L.Create(6f), x) : x;
    }
}
