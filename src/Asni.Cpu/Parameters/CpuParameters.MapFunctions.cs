namespace Asni.Cpu;

/// <summary>The functions of <see cref="Devices.MapFunction"/> and their derivatives.</summary>
internal sealed unsafe partial class CpuParameters
{
    /// <summary>1 / (1 + exp(-y)).</summary>
    private static V Sigmoid<L, V>(V y) where L : struct, ILanes<V> where V : struct => L.Divide(L.Create(1), L.Add(L.Create(1), L.Exp(L.Subtract(default, y))));

    /// <summary>The derivative of the logistic function where it is p: p (1 - p).</summary>
    private static V Slope<L, V>(V p) where L : struct, ILanes<V> where V : struct => L.Multiply(p, L.Subtract(L.Create(1), p));

    private static V SignOf<L, V>(V x) where L : struct, ILanes<V> where V : struct =>
        L.Select(L.Greater(x, default), L.Create(1), L.Select(L.Greater(default, x), L.Create(-1), default));

    private readonly struct SoftThreshold : IMap
    {
        public static V Value<L, V>(in MapNumbers<V> n, V w, V s, V x) where L : struct, ILanes<V> where V : struct =>
            L.Multiply(SignOf<L, V>(w), L.Max(default, L.Subtract(L.Abs(w), n.Own)));

        public static V Gradient<L, V>(in MapNumbers<V> n, V w, V s, V x, V d, out V ds) where L : struct, ILanes<V> where V : struct
        {
            V dw = L.And(L.Greater(L.Abs(w), n.Own), d);
            ds = L.Multiply(SignOf<L, V>(w), dw);
            return dw;
        }
    }

    private readonly struct SignedPower : IMap
    {
        public static V Value<L, V>(in MapNumbers<V> n, V w, V s, V x) where L : struct, ILanes<V> where V : struct => L.Multiply(w, Factor<L, V>(n, w));

        public static V Gradient<L, V>(in MapNumbers<V> n, V w, V s, V x, V d, out V ds) where L : struct, ILanes<V> where V : struct
        {
            ds = default;
            return L.Multiply(L.Multiply(n.A, Factor<L, V>(n, w)), d);
        }

        /// <summary>|w|^(a - 1), in which 0^0 is 1.</summary>
        private static V Factor<L, V>(in MapNumbers<V> n, V w) where L : struct, ILanes<V> where V : struct
        {
            V power = L.Subtract(n.A, L.Create(1));
            V factor = L.AndNot(L.Exp(L.Multiply(power, L.Log(L.Abs(w)))), L.Equal(w, default));
            return L.Select(L.Equal(power, default), L.Create(1), factor);
        }
    }

    private readonly struct SigmoidGate : IMap
    {
        public static V Value<L, V>(in MapNumbers<V> n, V w, V s, V x) where L : struct, ILanes<V> where V : struct =>
            L.Multiply(L.Multiply(n.B, Sigmoid<L, V>(L.Multiply(n.A, s))), w);

        public static V Gradient<L, V>(in MapNumbers<V> n, V w, V s, V x, V d, out V ds) where L : struct, ILanes<V> where V : struct
        {
            V p = Sigmoid<L, V>(L.Multiply(n.A, s)), scaled = L.Multiply(n.B, d);
            ds = L.Multiply(L.Multiply(n.A, Slope<L, V>(p)), L.Fma(scaled, w, n.Penalty));
            return L.Multiply(scaled, p);
        }
    }

    private readonly struct LinearGate : IMap
    {
        public static V Value<L, V>(in MapNumbers<V> n, V w, V s, V x) where L : struct, ILanes<V> where V : struct => L.Multiply(w, s);

        public static V Gradient<L, V>(in MapNumbers<V> n, V w, V s, V x, V d, out V ds) where L : struct, ILanes<V> where V : struct
        {
            ds = L.Fma(d, w, L.Multiply(n.Penalty, SignOf<L, V>(s)));
            return L.Multiply(d, s);
        }
    }

    private readonly struct HardConcrete : IMap
    {
        private const float Width = 1.2f, Below = -0.1f;

        public static V Value<L, V>(in MapNumbers<V> n, V w, V s, V x) where L : struct, ILanes<V> where V : struct => L.Multiply(w, Clamped<L, V>(Stretched<L, V>(Probability<L, V>(n, s, x))));

        public static V Gradient<L, V>(in MapNumbers<V> n, V w, V s, V x, V d, out V ds) where L : struct, ILanes<V> where V : struct
        {
            V p = Probability<L, V>(n, s, x), z = Stretched<L, V>(p), inside = L.And(L.Greater(z, default), L.Greater(L.Create(1), z));
            V slope = L.And(inside, L.Divide(L.Multiply(L.Create(Width), Slope<L, V>(p)), n.A));
            V live = Sigmoid<L, V>(L.Subtract(s, n.B));
            ds = L.Fma(L.Multiply(d, w), slope, L.Multiply(n.Penalty, Slope<L, V>(live)));
            return L.Multiply(d, Clamped<L, V>(z));
        }

        private static V Probability<L, V>(in MapNumbers<V> n, V s, V x) where L : struct, ILanes<V> where V : struct => Sigmoid<L, V>(L.Divide(L.Add(x, s), n.A));

        private static V Stretched<L, V>(V p) where L : struct, ILanes<V> where V : struct => L.Fma(L.Create(Width), p, L.Create(Below));

        private static V Clamped<L, V>(V z) where L : struct, ILanes<V> where V : struct => L.Min(L.Create(1), L.Max(default, z));
    }

    private readonly struct GaussianNoise : IMap
    {
        private const float K1 = 0.63576f, K2 = 1.8732f, K3 = 1.48695f;

        public static V Value<L, V>(in MapNumbers<V> n, V w, V s, V x) where L : struct, ILanes<V> where V : struct => L.Fma(Deviation<L, V>(s), x, w);

        public static V Gradient<L, V>(in MapNumbers<V> n, V w, V s, V x, V d, out V ds) where L : struct, ILanes<V> where V : struct
        {
            V square = L.Fma(w, w, L.Create(LeastSquare)), alpha = LogAlpha<L, V>(w, s);
            V inside = L.Greater(L.Create(MostLogAlpha), L.Abs(alpha));
            // KL = k1 (1 - P(k2 + k3 log alpha)) + log(1 + exp(-log alpha)) / 2.
            V slope = Slope<L, V>(Sigmoid<L, V>(L.Fma(L.Create(K3), alpha, L.Create(K2))));
            V kl = L.Fma(L.Create(-K1 * K3), slope, L.Multiply(L.Create(-0.5f), Sigmoid<L, V>(L.Subtract(default, alpha))));
            kl = L.And(inside, L.Multiply(n.Penalty, kl));
            ds = L.Fma(L.Multiply(L.Create(0.5f), d), L.Multiply(Deviation<L, V>(s), x), kl);
            return L.Subtract(d, L.Multiply(kl, L.Divide(L.Add(w, w), square)));
        }

        private static V Deviation<L, V>(V s) where L : struct, ILanes<V> where V : struct => L.Exp(L.Multiply(L.Create(0.5f), s));
    }

    private readonly struct NoiseThreshold : IMap
    {
        public static V Value<L, V>(in MapNumbers<V> n, V w, V s, V x) where L : struct, ILanes<V> where V : struct => L.AndNot(w, L.Greater(LogAlpha<L, V>(w, s), n.A));

        public static V Gradient<L, V>(in MapNumbers<V> n, V w, V s, V x, V d, out V ds) where L : struct, ILanes<V> where V : struct => throw new NotSupportedException();
    }

    private const float LeastSquare = 1e-8f, MostLogAlpha = 8;

    private static V LogAlpha<L, V>(V w, V s) where L : struct, ILanes<V> where V : struct => L.Subtract(s, L.Log(L.Fma(w, w, L.Create(LeastSquare))));
}
