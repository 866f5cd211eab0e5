using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;
using Asni.Networks;

namespace Asni.Cpu;

/// <summary>The activation functions of this device, each a type. They are chosen by their kind here, and in <see cref="Clamp"/> for those that cut off.</summary>
internal static class Activations
{
    /// <summary>Calls with the type of an activation that operations fuse.</summary>
    /// <exception cref="NotSupportedException">It is none of those.</exception>
    public static void Fused<C>(Activation activation, ref C call) where C : struct, IActivationCall
    {
        switch (activation)
        {
            case Activation.None: call.Run<Identity>(); break;
            case Activation.Relu: call.Run<Relu>(); break;
            case Activation.Relu6: call.Run<Relu6>(); break;
            default: throw new NotSupportedException($"the CPU fuses no {activation}");
        }
    }

    /// <summary>Calls with the type of any activation.</summary>
    /// <exception cref="NotSupportedException">There is none such.</exception>
    public static void Any<C>(Activation activation, ref C call) where C : struct, IActivationCall
    {
        switch (activation)
        {
            case Activation.Silu: call.Run<Smooth<Silu>>(); break;
            case Activation.Gelu: call.Run<Smooth<Gelu>>(); break;
            default: Fused(activation, ref call); break;
        }
    }
}

/// <summary>Work that is compiled for each activation.</summary>
internal interface IActivationCall
{
    void Run<A>() where A : struct, IActivation;
}

/// <summary>An activation function as a type, so that a kernel is compiled for each. NaN goes through, as in PyTorch.</summary>
internal interface IActivation
{
    static abstract V Apply<L, V>(V x) where L : struct, ILanes<V> where V : struct;
    static abstract float Apply(float x);

    /// <summary>dy times the slope, which a piecewise linear activation takes from its output and any other from its input.</summary>
    static abstract V Backward<L, V>(V kept, V dy) where L : struct, ILanes<V> where V : struct;
    static abstract float Backward(float kept, float dy);

    /// <summary>Whether <see cref="Backward(float, float)"/> looks at what is kept.</summary>
    static abstract bool NeedsKept { get; }
}

/// <summary>A piecewise linear activation as where it cuts off: below 0, above 6.</summary>
internal readonly record struct Clamp(bool Below, bool Above)
{
    public bool IsNone => !Below && !Above;

    /// <exception cref="NotSupportedException">It is not piecewise linear.</exception>
    public static Clamp FromActivation(Activation activation) => activation switch
    {
        Activation.None => default,
        Activation.Relu => new(true, false),
        Activation.Relu6 => new(true, true),
        _ => throw new NotSupportedException($"the CPU fuses no {activation}"),
    };
}

internal readonly struct Identity : IActivation
{
    public static bool NeedsKept => false;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static V Apply<L, V>(V x) where L : struct, ILanes<V> where V : struct => x;
    public static float Apply(float x) => x;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static V Backward<L, V>(V y, V dy) where L : struct, ILanes<V> where V : struct => dy;
    public static float Backward(float y, float dy) => dy;
}

internal readonly struct Relu : IActivation
{
    public static bool NeedsKept => true;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static V Apply<L, V>(V x) where L : struct, ILanes<V> where V : struct => L.Max(default, x);
    public static float Apply(float x) => x <= 0 ? 0 : x;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static V Backward<L, V>(V y, V dy) where L : struct, ILanes<V> where V : struct => L.AndNot(dy, L.GreaterOrEqual(default, y));
    public static float Backward(float y, float dy) => y <= 0 ? 0 : dy;
}

internal readonly struct Relu6 : IActivation
{
    public static bool NeedsKept => true;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static V Apply<L, V>(V x) where L : struct, ILanes<V> where V : struct => L.Min(L.Create(6), L.Max(default, x));
    public static float Apply(float x) => x <= 0 ? 0 : x >= 6 ? 6 : x;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static V Backward<L, V>(V y, V dy) where L : struct, ILanes<V> where V : struct =>
        L.AndNot(L.AndNot(dy, L.GreaterOrEqual(default, y)), L.GreaterOrEqual(y, L.Create(6)));
    public static float Backward(float y, float dy) => y <= 0 || y >= 6 ? 0 : dy;
}

/// <summary>A smooth activation function.</summary>
internal interface ISmooth
{
    static abstract V Value<L, V>(V x) where L : struct, ILanes<V> where V : struct;

    /// <summary>Its derivative at x.</summary>
    static abstract V Slope<L, V>(V x) where L : struct, ILanes<V> where V : struct;
}

/// <summary>A smooth activation as a kernel takes it. Single elements have the bits that they have in a register.</summary>
internal readonly struct Smooth<F> : IActivation where F : struct, ISmooth
{
    public static bool NeedsKept => true;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static V Apply<L, V>(V x) where L : struct, ILanes<V> where V : struct => F.Value<L, V>(x);
    public static float Apply(float x) => F.Value<Lanes128, Vector128<float>>(Vector128.Create(x)).ToScalar();

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static V Backward<L, V>(V kept, V dy) where L : struct, ILanes<V> where V : struct => L.Multiply(dy, F.Slope<L, V>(kept));
    public static float Backward(float kept, float dy) => dy * F.Slope<Lanes128, Vector128<float>>(Vector128.Create(kept)).ToScalar();
}

internal readonly struct Silu : ISmooth
{
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static V Value<L, V>(V x) where L : struct, ILanes<V> where V : struct => L.Divide(x, L.Add(L.Create(1), L.Exp(L.Subtract(default, x))));

    /// <summary>s + x s (1 - s) of the sigmoid s: with e = exp(-|x|), s and 1 - s are 1 / (1 + e) and e / (1 + e), or the other way round, both without loss.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static V Slope<L, V>(V x) where L : struct, ILanes<V> where V : struct
    {
        V e = L.Exp(L.Subtract(default, L.Abs(x))), larger = L.Divide(L.Create(1), L.Add(L.Create(1), e)), smaller = L.Multiply(e, larger);
        V positive = L.Greater(x, default), sigmoid = L.Select(positive, larger, smaller), complement = L.Select(positive, smaller, larger);
        return L.Fma(L.Multiply(x, complement), sigmoid, sigmoid);
    }
}

/// <summary>
/// x P(x) with the normal distribution function P. For u = |x| / sqrt(2), P(-|x|) = erfc(u) / 2 = exp(-u^2) t q(t) / 2 with t = 1 / (1 + u / 2) and a polynomial q
/// fitted for the smallest relative error, 4e-8. Measured from -16 to 16: values within 1.2e-7 times max(1, |value|), slopes within 1.8e-7.
/// </summary>
internal readonly struct Gelu : ISmooth
{
    private const float RootOfHalf = 0.707106781f, InverseRootOfTwoPi = 0.398942280f;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static V Value<L, V>(V x) where L : struct, ILanes<V> where V : struct => L.Multiply(x, Distribution<L, V>(x, out _));

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static V Slope<L, V>(V x) where L : struct, ILanes<V> where V : struct
    {
        V distribution = Distribution<L, V>(x, out V exponential);
        // x goes to infinity where the exponential is 0.
        return L.Fma(L.Multiply(L.Max(L.Create(-Furthest), L.Min(L.Create(Furthest), x)), L.Create(InverseRootOfTwoPi)), exponential, distribution);
    }

    /// <summary>Beyond this exp(-x^2 / 2) is 0.</summary>
    private const float Furthest = 16;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static V Distribution<L, V>(V x, out V exponential) where L : struct, ILanes<V> where V : struct
    {
        V u = L.Multiply(L.Abs(x), L.Create(RootOfHalf)), t = L.Divide(L.Create(1), L.Fma(u, L.Create(0.5f), L.Create(1)));
        exponential = L.Exp(L.Multiply(L.Multiply(x, x), L.Create(-0.5f)));
        V p = L.Create(-0.0587425538f);
        p = L.Fma(p, t, L.Create(0.282966544f));
        p = L.Fma(p, t, L.Create(-0.483832141f));
        p = L.Fma(p, t, L.Create(0.274165605f));
        p = L.Fma(p, t, L.Create(-0.0238996188f));
        p = L.Fma(p, t, L.Create(0.201514903f));
        p = L.Fma(p, t, L.Create(0.243405314f));
        p = L.Fma(p, t, L.Create(0.282333024f));
        p = L.Fma(p, t, L.Create(0.282088882f));
        V tail = L.Multiply(L.Multiply(exponential, L.Create(0.5f)), L.Multiply(t, p));
        return L.Select(L.Greater(x, default), L.Subtract(L.Create(1), tail), tail);
    }
}
