using Asni.Devices;
using Asni.Networks;

namespace Asni.Cpu;

internal sealed unsafe partial class CpuParameters
{
    public override void Update(in UpdateRule rule)
    {
        _values.Changed();
        if (HasMomentum(rule)) _state0 ??= NewSlot();
        if (rule.Kind == UpdateKind.Adam) _state1 ??= NewSlot();
        _list.Clear();
        foreach (Parameter p in Parameters)
        {
            if (!p.IsTrained) continue;
            _list.Add(p, _offsets[p.Index], _masked[p.Index]);
            if (_masked[p.Index]) _liveIndices.Gather(p.Index, MaskWords(p.Index), p.Elements, _live[p.Index], StateOf(p.Index, State0), StateOf(p.Index, State1));
        }
        Run(rule, new Updated(Values, Gradients, State0, State1));
    }

    public override void UpdateGates(ReadOnlySpan<int> parameters, in UpdateRule rule)
    {
        _list.Clear();
        foreach (int p in parameters) _list.Add(Parameters[p], _offsets[p], masked: false);
        Run(rule with { DecayVectors = true }, new Updated(Slot(ParameterSlot.Gate, write: true), Slot(ParameterSlot.GateGradient, write: true),
            Slot(ParameterSlot.GateState0, HasMomentum(rule)), Slot(ParameterSlot.GateState1, rule.Kind == UpdateKind.Adam)));
    }

    private static bool HasMomentum(in UpdateRule rule) => rule.Kind == UpdateKind.Adam || rule.Momentum != 0;

    private float* StateOf(int parameter, float* state) => state == null ? null : state + _offsets[parameter];

    /// <summary>Before the mask changes, or state is read or written element by element.</summary>
    private void ScatterState(int parameter) => _liveIndices.Scatter(parameter, StateOf(parameter, State0), StateOf(parameter, State1));

    private void Run(in UpdateRule rule, Updated slots)
    {
        if (rule.Kind == UpdateKind.Adam) Run(new AdamStep(rule), rule, slots);
        else if (!HasMomentum(rule)) Run(new PlainStep(rule), rule, slots);
        else if (rule.Nesterov) Run(new NesterovStep(rule), rule, slots);
        else Run(new MomentumStep(rule), rule, slots);
    }

    private void Run<S>(S step, in UpdateRule rule, Updated slots) where S : struct, IStep =>
        _workers.Vectorize(_list.Elements,
            new UpdateBody<S>(_list, _liveIndices, step, rule.WeightDecay, rule.DecayVectors, slots.Values, slots.Gradients, slots.State0, slots.State1, Masks));

    /// <summary>What a step reads and writes.</summary>
    private readonly ref struct Updated(float* values, float* gradients, float* state0, float* state1)
    {
        public readonly float* Values = values, Gradients = gradients, State0 = state0, State1 = state1;
    }
}

/// <summary>The optimizer's formula on one vector: value, decayed gradient and state; live lanes keep the result, others become +0.</summary>
internal unsafe interface IStep
{
    void Apply<L, V>(float* w, V g, float* state0, float* state1, V live) where L : struct, ILanes<V> where V : struct;
}

/// <summary>
/// State that decays towards 0 would stay for thousands of steps in the range of denormal numbers, where arithmetic is many times slower. It
/// becomes 0 below a magnitude that cannot move any weight.
/// </summary>
internal static class Denormals
{
    private const float Smallest = 1e-35f;

    public static V Flush<L, V>(V x) where L : struct, ILanes<V> where V : struct => L.AndNot(x, L.Greater(L.Create(Smallest), L.Abs(x)));
}

/// <summary>w -= lr * g.</summary>
internal readonly unsafe struct PlainStep(UpdateRule rule) : IStep
{
    private readonly float _step = -rule.LearningRate;

    public void Apply<L, V>(float* w, V g, float* state0, float* state1, V live) where L : struct, ILanes<V> where V : struct =>
        L.Store(L.And(live, L.Fma(L.Create(_step), g, L.Load(w))), w);
}

/// <summary>m = momentum * m + g; w -= lr * m.</summary>
internal readonly unsafe struct MomentumStep(UpdateRule rule) : IStep
{
    private readonly float _step = -rule.LearningRate, _momentum = rule.Momentum;

    public void Apply<L, V>(float* w, V g, float* state0, float* state1, V live) where L : struct, ILanes<V> where V : struct
    {
        V m = Denormals.Flush<L, V>(L.Fma(L.Create(_momentum), L.Load(state0), g));
        L.Store(L.And(live, m), state0);
        L.Store(L.And(live, L.Fma(L.Create(_step), m, L.Load(w))), w);
    }
}

/// <summary>m = momentum * m + g; w -= lr * (g + momentum * m).</summary>
internal readonly unsafe struct NesterovStep(UpdateRule rule) : IStep
{
    private readonly float _step = -rule.LearningRate, _momentum = rule.Momentum;

    public void Apply<L, V>(float* w, V g, float* state0, float* state1, V live) where L : struct, ILanes<V> where V : struct
    {
        V m = Denormals.Flush<L, V>(L.Fma(L.Create(_momentum), L.Load(state0), g));
        L.Store(L.And(live, m), state0);
        L.Store(L.And(live, L.Fma(L.Create(_step), L.Fma(L.Create(_momentum), m, g), L.Load(w))), w);
    }
}

/// <summary>m = b1 m + (1 - b1) g; v = b2 v + (1 - b2) g^2; w -= lr / (1 - b1^t) * m / (sqrt(v) / sqrt(1 - b2^t) + eps).</summary>
internal readonly unsafe struct AdamStep : IStep
{
    private readonly float _beta1, _beta2, _rest1, _rest2, _step, _correction, _epsilon;

    public AdamStep(in UpdateRule rule)
    {
        // Through decimal: 0.999f means 0.999, and 1 - 0.999 would keep five digits of the float's rounding error.
        double beta1 = (double)(decimal)rule.Beta1, beta2 = (double)(decimal)rule.Beta2;
        _beta1 = (float)beta1;
        _beta2 = (float)beta2;
        _rest1 = (float)(1 - beta1);
        _rest2 = (float)(1 - beta2);
        _step = (float)(-rule.LearningRate / (1 - Math.Pow(beta1, rule.Step)));
        _correction = (float)(1 / Math.Sqrt(1 - Math.Pow(beta2, rule.Step)));
        _epsilon = rule.Epsilon;
    }

    public void Apply<L, V>(float* w, V g, float* state0, float* state1, V live) where L : struct, ILanes<V> where V : struct
    {
        V m = Denormals.Flush<L, V>(L.Fma(L.Create(_beta1), L.Load(state0), L.Multiply(L.Create(_rest1), g)));
        V v = Denormals.Flush<L, V>(L.Fma(L.Create(_beta2), L.Load(state1), L.Multiply(L.Multiply(L.Create(_rest2), g), g)));
        V root = L.Fma(L.Sqrt(v), L.Create(_correction), L.Create(_epsilon));
        L.Store(L.And(live, m), state0);
        L.Store(L.And(live, v), state1);
        L.Store(L.And(live, L.Fma(L.Create(_step), L.Divide(m, root), L.Load(w))), w);
    }
}

/// <summary>One optimizer step over all parameters in one pass; vectors without a live element are not touched.</summary>
internal readonly unsafe struct UpdateBody<S>(Segments list, LiveIndices indices, S step, float weightDecay, bool decayVectors, float* values,
    float* gradients, float* state0, float* state1, ulong* masks) : IVectorBody where S : struct, IStep
{
    public void Execute<L, V>(int worker, int workers) where L : struct, ILanes<V> where V : struct
    {
        foreach (Piece piece in list.Pieces(worker, workers))
        {
            float decay = decayVectors || piece.Segment.Parameter.IsWeight ? weightDecay : 0;
            long from = piece.Segment.Offset + piece.From, to = piece.Segment.Offset + piece.To;
            if (!piece.Segment.Masked) Update<L, V>(from, to, decay);
            else if (indices.Get(piece.Segment.Parameter.Index) is { } live) UpdateLive<L, V>(live, LiveIndices.Between(live, piece.From, piece.To), piece.Segment.Offset, decay);
            else UpdateMasked<L, V>(from, to, decay);
        }
    }

    // The last vector runs into the padding behind the parameter, which nobody reads.
    private void Update<L, V>(long i, long to, float decay) where L : struct, ILanes<V> where V : struct
    {
        V all = L.Equal(default, default), factor = L.Create(decay);
        for (; i < to; i += L.Count)
            step.Apply<L, V>(values + i, L.Fma(factor, L.Load(values + i), L.Load(gradients + i)), state0 + i, state1 + i, all);
    }

    private void UpdateMasked<L, V>(long i, long to, float decay) where L : struct, ILanes<V> where V : struct
    {
        V factor = L.Create(decay);
        for (; i < to; i += L.Count)
        {
            uint bits = MaskBits.Read(masks, i) & MaskBits.All(L.Count);
            if (bits != 0)
                step.Apply<L, V>(values + i, L.Fma(factor, L.Load(values + i), L.Load(gradients + i)), state0 + i, state1 + i, L.Mask(bits));
        }
    }

    /// <summary>
    /// Gathers values and gradients of live elements, updates full vectors of them, and scatters the values: a few vectors at a time, so that
    /// what was stored piecemeal has reached the cache when it is loaded whole.
    /// </summary>
    private void UpdateLive<L, V>(int[] live, Range part, long offset, float decay) where L : struct, ILanes<V> where V : struct
    {
        const int together = 128;
        float* w = stackalloc float[2 * together];
        float* g = w + together;
        new Span<float>(w, 2 * together).Clear();
        V all = L.Equal(default, default), factor = L.Create(decay);
        (int first, int end) = (part.Start.Value, part.End.Value);
        for (; first < end; first += together)
        {
            ReadOnlySpan<int> some = live.AsSpan(first, Math.Min(together, end - first));
            Gather(some, values + offset, w);
            Gather(some, gradients + offset, g);
            float* m = state0 + offset + first, v = state1 + offset + first;
            int i = 0;
            for (; i <= some.Length - L.Count; i += L.Count) step.Apply<L, V>(w + i, L.Fma(factor, L.Load(w + i), L.Load(g + i)), m + i, v + i, all);
            if (i < some.Length) Last<L, V>(w + i, L.Fma(factor, L.Load(w + i), L.Load(g + i)), m + i, v + i, some.Length - i);
            Scatter(w, some, values + offset);
        }
    }

    /// <summary>The elements behind them belong to another worker.</summary>
    private void Last<L, V>(float* w, V g, float* m, float* v, int count) where L : struct, ILanes<V> where V : struct
    {
        float* own = stackalloc float[32];
        float* ownV = own + 16;
        new Span<float>(own, 32).Clear();
        if (state0 != null) new Span<float>(m, count).CopyTo(new Span<float>(own, count));
        if (state1 != null) new Span<float>(v, count).CopyTo(new Span<float>(ownV, count));
        step.Apply<L, V>(w, g, own, ownV, L.Equal(default, default));
        if (state0 != null) new Span<float>(own, count).CopyTo(new Span<float>(m, count));
        if (state1 != null) new Span<float>(ownV, count).CopyTo(new Span<float>(v, count));
    }

    private static void Gather(ReadOnlySpan<int> indices, float* from, float* to)
    {
        for (int i = 0; i < indices.Length; i++) to[i] = from[indices[i]];
    }

    private static void Scatter(float* from, ReadOnlySpan<int> indices, float* to)
    {
        for (int i = 0; i < indices.Length; i++) to[indices[i]] = from[i];
    }
}
