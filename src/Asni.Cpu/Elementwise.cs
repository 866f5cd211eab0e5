using Asni.Devices;

namespace Asni.Cpu;

/// <summary>Element by element over whole activations: memory-bound, one pass.</summary>
internal static unsafe class Elementwise
{
    /// <summary>y = activation(a + b).</summary>
    public static void Add(Workers workers, float* a, float* b, long count, Activation activation, float* y)
    {
        switch (activation)
        {
            case Activation.None: workers.Vectorize(count, new Body<AddThen<Identity>>(a, b, count, y)); break;
            case Activation.Relu: workers.Vectorize(count, new Body<AddThen<Relu>>(a, b, count, y)); break;
            case Activation.Relu6: workers.Vectorize(count, new Body<AddThen<Relu6>>(a, b, count, y)); break;
        }
    }

    /// <summary>y = activation(x).</summary>
    public static void Activate(Workers workers, float* x, long count, Activation activation, float* y)
    {
        switch (activation)
        {
            case Activation.None when x != y: workers.Vectorize(count, new Body<First<Identity>>(x, x, count, y)); break;
            case Activation.Relu: workers.Vectorize(count, new Body<First<Relu>>(x, x, count, y)); break;
            case Activation.Relu6: workers.Vectorize(count, new Body<First<Relu6>>(x, x, count, y)); break;
        }
    }

    /// <summary>dy *= activation'(y).</summary>
    public static void ActivateBackward(Workers workers, float* y, long count, Activation activation, float* dy)
    {
        switch (activation)
        {
            case Activation.Relu: workers.Vectorize(count, new Body<Slope<Relu>>(y, dy, count, dy)); break;
            case Activation.Relu6: workers.Vectorize(count, new Body<Slope<Relu6>>(y, dy, count, dy)); break;
        }
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
            (long i, long to) = Share.Of(count, worker, workers, grain: 64);
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
