using Asni.Devices;

namespace Asni.Cpu;

internal sealed unsafe partial class CpuParameters
{
    /// <summary>t of each parameter, by its index.</summary>
    private readonly float[] _own;

    protected override void MapValuesCore(ReadOnlySpan<int> parameters, in ElementMap map, ReadOnlySpan<float> own)
    {
        _values.Changed();
        Map(parameters, map, own, gradients: false);
    }

    protected override void MapGradientsCore(ReadOnlySpan<int> parameters, in ElementMap map, ReadOnlySpan<float> own)
    {
        _values.Changed();
        Map(parameters, map, own, gradients: true);
    }

    private void Map(ReadOnlySpan<int> parameters, in ElementMap map, ReadOnlySpan<float> own, bool gradients)
    {
        for (int i = 0; i < own.Length; i++) _own[parameters[i]] = own[i];
        List(parameters);
        switch (map.Function)
        {
            case MapFunction.SoftThreshold: Map<SoftThreshold>(map, gradients); break;
            case MapFunction.SignedPower: Map<SignedPower>(map, gradients); break;
            case MapFunction.SigmoidGate: Map<SigmoidGate>(map, gradients); break;
            case MapFunction.LinearGate: Map<LinearGate>(map, gradients); break;
            case MapFunction.HardConcrete: Map<HardConcrete>(map, gradients); break;
            case MapFunction.GaussianNoise: Map<GaussianNoise>(map, gradients); break;
            case MapFunction.NoiseThreshold: Map<NoiseThreshold>(map, gradients); break;
            default: throw new ArgumentOutOfRangeException(nameof(map), map.Function, null);
        }
    }

    private void Map<F>(in ElementMap map, bool gradients) where F : struct, IMap
    {
        float* gates = map.ReadsGate ? Slot(ParameterSlot.Gate, write: true) : null;
        float* noise = map.Noise != 0 ? Slot(ParameterSlot.Score, write: true) : null;
        float* master = Slot(ParameterSlot.Master, write: true);
        if (gradients)
        {
            float* gateGradients = map.HasGateGradient ? Slot(ParameterSlot.GateGradient, write: true) : null;
            _workers.Vectorize(_list.Elements, new MapGradientBody<F>(_list, map, _own, Values, Gradients, master, gates, noise, gateGradients));
        }
        else _workers.Vectorize(_list.Elements, new MapValueBody<F>(_list, map, _own, Values, master, gates, noise, Masks));
    }

    /// <summary>A function of weight w and gate s; x is the noise times its factor, t the parameter's own number.</summary>
    private interface IMap
    {
        static abstract V Value<L, V>(in MapNumbers<V> n, V w, V s, V x) where L : struct, ILanes<V> where V : struct;

        /// <param name="d">Gradient of the value.</param>
        /// <param name="ds">Gradient of the gate.</param>
        /// <returns>Gradient of the weight.</returns>
        static abstract V Gradient<L, V>(in MapNumbers<V> n, V w, V s, V x, V d, out V ds) where L : struct, ILanes<V> where V : struct;
    }

    private readonly record struct MapNumbers<V>(V A, V B, V Penalty, V Own) where V : struct;

    private readonly struct MapValueBody<F>(Segments list, ElementMap map, float[] own, float* values, float* master, float* gates, float* noise, ulong* masks) : IVectorBody where F : struct, IMap
    {
        public void Execute<L, V>(int worker, int workers) where L : struct, ILanes<V> where V : struct
        {
            foreach (Piece piece in list.Pieces(worker, workers))
            {
                MapNumbers<V> numbers = NumbersOf<L, V>(map, own[piece.Segment.Parameter.Index]);
                V factor = L.Create(map.Noise);
                bool masked = piece.Segment.Masked;
                long i = piece.Segment.Offset + piece.From, end = piece.Segment.Offset + piece.To;
                for (; i < end; i += L.Count)
                {
                    V w = L.Load(values + i);
                    V v = F.Value<L, V>(numbers, w, gates == null ? default : L.Load(gates + i), noise == null ? default : L.Multiply(factor, L.Load(noise + i)));
                    L.Store(w, master + i);
                    L.Store(masked ? L.And(L.Mask(MaskBits.Read(masks, i) & MaskBits.All(L.Count)), v) : v, values + i);
                }
            }
        }
    }

    private readonly struct MapGradientBody<F>(Segments list, ElementMap map, float[] own, float* values, float* gradients, float* master, float* gates, float* noise, float* gateGradients)
        : IVectorBody where F : struct, IMap
    {
        public void Execute<L, V>(int worker, int workers) where L : struct, ILanes<V> where V : struct
        {
            foreach (Piece piece in list.Pieces(worker, workers))
            {
                MapNumbers<V> numbers = NumbersOf<L, V>(map, own[piece.Segment.Parameter.Index]);
                V factor = L.Create(map.Noise);
                long i = piece.Segment.Offset + piece.From, end = piece.Segment.Offset + piece.To;
                for (; i < end; i += L.Count)
                {
                    V w = L.Load(master + i), x = noise == null ? default : L.Multiply(factor, L.Load(noise + i));
                    V dw = F.Gradient<L, V>(numbers, w, gates == null ? default : L.Load(gates + i), x, L.Load(gradients + i), out V ds);
                    L.Store(w, values + i);
                    L.Store(dw, gradients + i);
                    if (gateGradients != null) L.Store(ds, gateGradients + i);
                }
            }
        }
    }

    protected override void MoveGatesCore(ReadOnlySpan<int> parameters, float below, float above)
    {
        List(parameters);
        _workers.Vectorize(_list.Elements, new MoveGatesBody(_list, below, above, Values, Slot(ParameterSlot.Gate, write: true)));
    }

    private readonly struct MoveGatesBody(Segments list, float below, float above, float* values, float* gates) : IVectorBody
    {
        public void Execute<L, V>(int worker, int workers) where L : struct, ILanes<V> where V : struct
        {
            V low = L.Create(below), high = L.Create(above), one = L.Create(1);
            foreach (Piece piece in list.Pieces(worker, workers))
                for (long i = piece.Segment.Offset + piece.From, end = piece.Segment.Offset + piece.To; i < end; i += L.Count)
                {
                    V w = L.Abs(L.Load(values + i));
                    // NaN is neither above the one border nor at most the other.
                    V stays = L.AndNot(L.Load(gates + i), L.GreaterOrEqual(low, w));
                    L.Store(L.Select(L.Greater(w, high), one, stays), gates + i);
                }
        }
    }

    private static MapNumbers<V> NumbersOf<L, V>(in ElementMap map, float own) where L : struct, ILanes<V> where V : struct =>
        new(L.Create(map.A), L.Create(map.B), L.Create(map.Penalty), L.Create(own));
}
