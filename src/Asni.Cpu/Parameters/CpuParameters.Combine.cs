using Asni.Devices;

namespace Asni.Cpu;

internal sealed unsafe partial class CpuParameters
{
    protected override void CombineCore(ReadOnlySpan<int> parameters, ElementFunction function, ParameterSlot x, ParameterSlot y, float a, float b, bool dense)
    {
        if (y == ParameterSlot.Value) _values.Changed();
        if (IsState(x) || IsState(y))
        {
            foreach (int p in parameters) ScatterState(p);
        }
        List(parameters);
        var work = new Combination(Slot(x, write: true), Slot(y, write: true), a, b, dense);
        switch (function)
        {
            case ElementFunction.Identity: Combine<Identical>(work); break;
            case ElementFunction.Absolute: Combine<Absolute>(work); break;
            case ElementFunction.Square: Combine<Squared>(work); break;
            case ElementFunction.Product: Combine<Product>(work); break;
            case ElementFunction.AbsoluteProduct: Combine<AbsoluteProduct>(work); break;
            case ElementFunction.SquaredProduct: Combine<SquaredProduct>(work); break;
            case ElementFunction.Insensitive: Combine<Insensitive>(work); break;
            default: throw new ArgumentOutOfRangeException(nameof(function), function, null);
        }
    }

    /// <summary>Nothing is made of running statistics that would have to be made anew.</summary>
    public override void CombineRunning(ParameterSlot x, ParameterSlot y, float a, float b)
    {
        List(Running);
        Combine<Identical>(new Combination(Slot(x, write: true), Slot(y, write: true), a, b, dense: true));
    }

    private static bool IsState(ParameterSlot slot) => slot is ParameterSlot.State0 or ParameterSlot.State1;

    private void Combine<F>(in Combination work) where F : struct, IElementFunction =>
        _workers.Vectorize(_list.Elements, new CombineBody<F>(_list, Values, Masks, work));

    private readonly record struct Combination(nint X, nint Y, float A, float B, bool Dense)
    {
        public Combination(float* x, float* y, float a, float b, bool dense) : this((nint)x, (nint)y, a, b, dense) { }
    }

    private interface IElementFunction
    {
        static abstract V Apply<L, V>(V w, V x) where L : struct, ILanes<V> where V : struct;
    }

    private readonly struct Identical : IElementFunction
    {
        public static V Apply<L, V>(V w, V x) where L : struct, ILanes<V> where V : struct => x;
    }

    private readonly struct Absolute : IElementFunction
    {
        public static V Apply<L, V>(V w, V x) where L : struct, ILanes<V> where V : struct => L.Abs(x);
    }

    private readonly struct Squared : IElementFunction
    {
        public static V Apply<L, V>(V w, V x) where L : struct, ILanes<V> where V : struct => L.Multiply(x, x);
    }

    private readonly struct Product : IElementFunction
    {
        public static V Apply<L, V>(V w, V x) where L : struct, ILanes<V> where V : struct => L.Multiply(w, x);
    }

    private readonly struct AbsoluteProduct : IElementFunction
    {
        public static V Apply<L, V>(V w, V x) where L : struct, ILanes<V> where V : struct => L.Abs(L.Multiply(w, x));
    }

    private readonly struct SquaredProduct : IElementFunction
    {
        public static V Apply<L, V>(V w, V x) where L : struct, ILanes<V> where V : struct
        {
            V product = L.Multiply(w, x);
            return L.Multiply(product, product);
        }
    }

    private readonly struct Insensitive : IElementFunction
    {
        public static V Apply<L, V>(V w, V x) where L : struct, ILanes<V> where V : struct => L.Multiply(w, L.Max(default, L.Subtract(L.Create(1), L.Abs(x))));
    }

    private readonly struct CombineBody<F>(Segments list, float* values, ulong* masks, Combination work) : IVectorBody where F : struct, IElementFunction
    {
        public void Execute<L, V>(int worker, int workers) where L : struct, ILanes<V> where V : struct
        {
            float* from = (float*)work.X, to = (float*)work.Y;
            V a = L.Create(work.A), b = L.Create(work.B);
            foreach (Piece piece in list.Pieces(worker, workers))
            {
                bool masked = piece.Segment.Masked && !work.Dense;
                long i = piece.Segment.Offset + piece.From, end = piece.Segment.Offset + piece.To;
                // The last vector runs into the padding behind the parameter, which nobody reads.
                for (; i < end; i += L.Count)
                {
                    V result = F.Apply<L, V>(L.Load(values + i), L.Load(from + i));
                    result = work.B == 0 ? L.Multiply(a, result) : L.Fma(a, result, L.Multiply(b, L.Load(to + i)));
                    L.Store(masked ? L.And(L.Mask(MaskBits.Read(masks, i) & MaskBits.All(L.Count)), result) : result, to + i);
                }
            }
        }
    }
}
