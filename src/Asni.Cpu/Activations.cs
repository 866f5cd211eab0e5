using System.Runtime.CompilerServices;

namespace Asni.Cpu;

/// <summary>An activation function as a type, so that a kernel is compiled for each. NaN goes through, as in PyTorch.</summary>
internal interface IActivation
{
    static abstract V Apply<L, V>(V x) where L : struct, ILanes<V> where V : struct;
    static abstract float Apply(float x);

    /// <summary>dy where the activation that gave y had slope 1, else 0.</summary>
    static abstract V Backward<L, V>(V y, V dy) where L : struct, ILanes<V> where V : struct;
    static abstract float Backward(float y, float dy);

    /// <summary>Whether <see cref="Backward(float, float)"/> looks at y.</summary>
    static abstract bool NeedsOutput { get; }
}

internal readonly struct Identity : IActivation
{
    public static bool NeedsOutput => false;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static V Apply<L, V>(V x) where L : struct, ILanes<V> where V : struct => x;
    public static float Apply(float x) => x;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static V Backward<L, V>(V y, V dy) where L : struct, ILanes<V> where V : struct => dy;
    public static float Backward(float y, float dy) => dy;
}

internal readonly struct Relu : IActivation
{
    public static bool NeedsOutput => true;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static V Apply<L, V>(V x) where L : struct, ILanes<V> where V : struct => L.Max(default, x);
    public static float Apply(float x) => x <= 0 ? 0 : x;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static V Backward<L, V>(V y, V dy) where L : struct, ILanes<V> where V : struct => L.AndNot(dy, L.GreaterOrEqual(default, y));
    public static float Backward(float y, float dy) => y <= 0 ? 0 : dy;
}

internal readonly struct Relu6 : IActivation
{
    public static bool NeedsOutput => true;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static V Apply<L, V>(V x) where L : struct, ILanes<V> where V : struct => L.Min(L.Create(6), L.Max(default, x));
    public static float Apply(float x) => x <= 0 ? 0 : x >= 6 ? 6 : x;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static V Backward<L, V>(V y, V dy) where L : struct, ILanes<V> where V : struct =>
        L.AndNot(L.AndNot(dy, L.GreaterOrEqual(default, y)), L.GreaterOrEqual(y, L.Create(6)));
    public static float Backward(float y, float dy) => y <= 0 || y >= 6 ? 0 : dy;
}
