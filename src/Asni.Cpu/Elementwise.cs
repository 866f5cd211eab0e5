using Asni.Networks;

namespace Asni.Cpu;

/// <summary>Element by element over whole activations: memory-bound, one pass.</summary>
internal static unsafe class Elementwise
{
    /// <summary>y = activation(a + b), the activation piecewise linear.</summary>
    public static void Add(Workers workers, float* a, float* b, long count, Activation activation, float* y)
    {
        var call = new AddCall(workers, a, b, count, y);
        Activations.Fused(activation, ref call);
    }

    /// <summary>y = activation(x).</summary>
    public static void Activate(Workers workers, float* x, long count, Activation activation, float* y)
    {
        if (activation == Activation.None && x == y) return;
        var call = new ActivateCall(workers, x, count, y);
        Activations.Any(activation, ref call);
    }

    /// <summary>dy *= activation', from what it keeps.</summary>
    public static void ActivateBackward(Workers workers, float* kept, long count, Activation activation, float* dy)
    {
        if (activation == Activation.None) return;
        var call = new BackwardCall(workers, kept, count, dy);
        Activations.Any(activation, ref call);
    }

    private readonly struct AddCall(Workers workers, float* a, float* b, long count, float* y) : IActivationCall
    {
        public void Run<A>() where A : struct, IActivation => workers.Vectorize(count, new Body<AddThen<A>>(a, b, count, y));
    }

    private readonly struct ActivateCall(Workers workers, float* x, long count, float* y) : IActivationCall
    {
        public void Run<A>() where A : struct, IActivation => workers.Vectorize(count, new Body<First<A>>(x, x, count, y));
    }

    private readonly struct BackwardCall(Workers workers, float* kept, long count, float* dy) : IActivationCall
    {
        public void Run<A>() where A : struct, IActivation => workers.Vectorize(count, new Body<Slope<A>>(kept, dy, count, dy));
    }

    private interface IBinary
    {
        static abstract V Apply<L, V>(V a, V b) where L : struct, ILanes<V> where V : struct;
        static abstract float Apply(float a, float b);
    }

    private readonly struct AddThen<A> : IBinary where A : struct, IActivation
    {
        public static V Apply<L, V>(V a, V b) where L : struct, ILanes<V> where V : struct => A.Apply<L, V>(L.Add(a, b));
        public static float Apply(float a, float b) => A.Apply(a + b);
    }

    private readonly struct First<A> : IBinary where A : struct, IActivation
    {
        public static V Apply<L, V>(V a, V b) where L : struct, ILanes<V> where V : struct => A.Apply<L, V>(a);
        public static float Apply(float a, float b) => A.Apply(a);
    }

    private readonly struct Slope<A> : IBinary where A : struct, IActivation
    {
        public static V Apply<L, V>(V a, V b) where L : struct, ILanes<V> where V : struct => A.Backward<L, V>(a, b);
        public static float Apply(float a, float b) => A.Backward(a, b);
    }

    private readonly struct Body<F>(float* a, float* b, long count, float* y) : IVectorBody where F : struct, IBinary
    {
        public void Execute<L, V>(int worker, int workers) where L : struct, ILanes<V> where V : struct
        {
            (long i, long to) = Partition.Range(count, worker, workers, grain: 64);
            for (; i <= to - 2 * L.Count; i += 2 * L.Count)
            {
                V first = F.Apply<L, V>(L.Load(a + i), L.Load(b + i));
                V second = F.Apply<L, V>(L.Load(a + i + L.Count), L.Load(b + i + L.Count));
                L.Store(first, y + i);
                L.Store(second, y + i + L.Count);
            }
            for (; i < to; i++) y[i] = F.Apply(a[i], b[i]);
        }
    }
}
