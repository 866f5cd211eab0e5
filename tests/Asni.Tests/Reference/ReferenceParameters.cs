using System.Collections.Immutable;
using Asni.Devices;
using Asni.Networks;
using Asni.Tensors;

namespace Asni.Tests.Reference;

internal sealed class ReferenceParameters : DeviceParameters
{
    private readonly ReferenceBuffer[,] _slots;
    private readonly Mask?[] _masks;

    public ReferenceParameters(ImmutableArray<Parameter> parameters) : base(parameters)
    {
        _masks = new Mask?[parameters.Length];
        _slots = new ReferenceBuffer[parameters.Length, Enum.GetValues<ParameterSlot>().Length];
        foreach (Parameter p in parameters)
            foreach (ParameterSlot slot in Enum.GetValues<ParameterSlot>())
                _slots[p.Index, (int)slot] = new ReferenceBuffer(p.Elements * sizeof(double));
    }

    public override ParameterTensor Value(int parameter) => Tensor(parameter, ParameterSlot.Value);
    public override ParameterTensor Gradient(int parameter) => Tensor(parameter, ParameterSlot.Gradient);

    public override void Upload(int parameter, ParameterSlot slot, ReadOnlySpan<float> values)
    {
        Span<double> target = Doubles(parameter, slot);
        for (int i = 0; i < target.Length; i++) target[i] = values[i];
    }

    public override void Download(int parameter, ParameterSlot slot, Span<float> values)
    {
        Span<double> source = Doubles(parameter, slot);
        for (int i = 0; i < source.Length; i++) values[i] = (float)source[i];
    }

    public override void Pack(ReadOnlySpan<int> parameters, ParameterSlot slot, bool dense, Span<float> to)
    {
        RequirePackedLength(parameters, dense, to.Length);
        int at = 0;
        foreach (int p in parameters)
            for (int i = 0; i < Parameters[p].Elements; i++)
                if (dense || Lives(p, i)) to[at++] = (float)Doubles(p, slot)[i];
    }

    public override void Unpack(ReadOnlySpan<int> parameters, ParameterSlot slot, bool dense, ReadOnlySpan<float> from)
    {
        RequirePackedLength(parameters, dense, from.Length);
        int at = 0;
        foreach (int p in parameters)
            for (int i = 0; i < Parameters[p].Elements; i++)
                if (dense || Lives(p, i)) Doubles(p, slot)[i] = from[at++];
    }

    protected override void SetMaskCore(int parameter, Mask? mask)
    {
        _masks[parameter] = mask?.Clone();
        for (int i = 0; i < Parameters[parameter].Elements; i++)
            if (!Lives(parameter, i)) Clear(parameter, i);
    }

    public override Mask? GetMask(int parameter) => Live(parameter) == Parameters[parameter].Elements ? null : _masks[parameter]!.Clone();
    public override long Live(int parameter) => _masks[parameter]?.Live ?? Parameters[parameter].Elements;

    public override void Update(in UpdateRule rule)
    {
        foreach (Parameter p in Parameters.Where(p => p.IsTrained))
        {
            double decay = p.IsWeight || rule.DecayVectors ? rule.WeightDecay : 0;
            for (int i = 0; i < p.Elements; i++)
            {
                if (!Lives(p.Index, i)) Clear(p.Index, i);
                else Step(p.Index, i, decay, rule, ParameterSlot.Value, ParameterSlot.Gradient, ParameterSlot.State0, ParameterSlot.State1);
            }
        }
    }

    public override void UpdateGates(ReadOnlySpan<int> parameters, in UpdateRule rule)
    {
        foreach (int p in parameters)
            for (int i = 0; i < Parameters[p].Elements; i++)
                Step(p, i, rule.WeightDecay, rule, ParameterSlot.Gate, ParameterSlot.GateGradient, ParameterSlot.GateState0, ParameterSlot.GateState1);
    }

    public override void ResetState()
    {
        foreach (Parameter p in Parameters)
        {
            Doubles(p.Index, ParameterSlot.State0).Clear();
            Doubles(p.Index, ParameterSlot.State1).Clear();
        }
    }

    public override Threshold FindThreshold(ReadOnlySpan<int> parameters, long keep, Ranking ranking)
    {
        var ranks = new List<float>();
        foreach (int p in parameters)
            for (int i = 0; i < Parameters[p].Elements; i++)
                if (Lives(p, i)) ranks.Add(Rank(p, i, ranking));
        if (ranks.Any(float.IsNaN)) throw new AsniException("a value is NaN");
        ArgumentOutOfRangeException.ThrowIfGreaterThan(keep, ranks.Count);
        if (keep == 0) return new Threshold(float.PositiveInfinity, 0, ranking);
        ranks.Sort();
        float cut = ranks[^(int)keep];
        return new Threshold(cut, keep - ranks.Count(r => r > cut), ranking);
    }

    protected override void ApplyThresholdCore(ReadOnlySpan<int> parameters, Threshold threshold, Span<long> live)
    {
        long equal = 0;
        foreach (int p in parameters.ToArray().Order())
        {
            Mask mask = GetMask(p) ?? new Mask(Parameters[p].Elements);
            for (int i = 0; i < Parameters[p].Elements; i++)
                if (mask[i])
                    mask[i] = Rank(p, i, threshold.Ranking) > threshold.Value
                        || (Rank(p, i, threshold.Ranking) == threshold.Value && equal++ < threshold.KeepEqual);
            SetMaskCore(p, mask);
        }
        for (int i = 0; i < parameters.Length; i++) live[i] = Live(parameters[i]);
    }

    protected override void GrowCore(ReadOnlySpan<int> parameters, long count, Ranking ranking)
    {
        foreach (var dead in Dead(parameters.ToArray(), GetMask, ranking).Take((int)count).GroupBy(e => e.Parameter))
        {
            Mask mask = GetMask(dead.Key)!;
            foreach (var e in dead) mask[e.Element] = true;
            SetMaskCore(dead.Key, mask);
        }
    }

    protected override void ExchangeCore(int parameter, long drop, long grow, Ranking ranking)
    {
        Mask mask = GetMask(parameter) ?? new Mask(Parameters[parameter].Elements);
        // The last of equal ones leave first.
        foreach (int i in Enumerable.Range(0, (int)mask.Length).Where(i => mask[i]).OrderBy(i => Rank(parameter, i, Ranking.Magnitude)).ThenByDescending(i => i).Take((int)drop).ToArray())
            mask[i] = false;
        foreach (var e in Dead([parameter], _ => mask, ranking).Take((int)grow).ToArray()) mask[e.Element] = true;
        SetMaskCore(parameter, mask);
    }

    /// <summary>By rank; equal ones stay in the order of parameters and elements.</summary>
    private (int Parameter, int Element)[] Dead(int[] parameters, Func<int, Mask?> masks, Ranking ranking)
    {
        var dead = new List<(int Parameter, int Element)>();
        foreach (int p in parameters.Order())
            if (masks(p) is { } mask)
                for (int i = 0; i < mask.Length; i++)
                    if (!mask[i]) dead.Add((p, i));
        if (dead.Any(e => float.IsNaN(Rank(e.Parameter, e.Element, ranking)))) throw new AsniException("a number is NaN");
        return [.. dead.OrderByDescending(e => Rank(e.Parameter, e.Element, ranking))];
    }

    public override void SumBySign(ReadOnlySpan<int> parameters, ReadOnlySpan<float> pivots, Span<SignStatistics> sums, ParameterSlot slot = ParameterSlot.Value)
    {
        for (int k = 0; k < parameters.Length; k++)
        {
            double sumAbove = 0, sumBelow = 0;
            long countAbove = 0, countBelow = 0;
            Span<double> values = Doubles(parameters[k], slot);
            for (int i = 0; i < values.Length; i++)
            {
                if (!Lives(parameters[k], i)) continue;
                if (values[i] > pivots[k]) (sumAbove, countAbove) = (sumAbove + values[i], countAbove + 1);
                if (values[i] < pivots[k]) (sumBelow, countBelow) = (sumBelow + values[i], countBelow + 1);
            }
            sums[k] = new SignStatistics(sumAbove, countAbove, sumBelow, countBelow);
        }
    }

    public override void AssignBySign(int parameter, float pivot, float above, float below)
    {
        Span<double> values = Doubles(parameter, ParameterSlot.Value);
        for (int i = 0; i < values.Length; i++)
            if (Lives(parameter, i) && values[i] != pivot) values[i] = values[i] > pivot ? above : below;
    }

    public override void CombineRunning(ParameterSlot x, ParameterSlot y, float a, float b) =>
        CombineCore(Running, ElementFunction.Identity, x, y, a, b, dense: true);

    protected override void CombineCore(ReadOnlySpan<int> parameters, ElementFunction function, ParameterSlot x, ParameterSlot y, float a, float b, bool dense)
    {
        foreach (int p in parameters)
        {
            Span<double> values = Doubles(p, ParameterSlot.Value), from = Doubles(p, x), to = Doubles(p, y);
            for (int i = 0; i < to.Length; i++)
            {
                double result = function switch
                {
                    ElementFunction.Identity => from[i],
                    ElementFunction.Absolute => Math.Abs(from[i]),
                    ElementFunction.Square => from[i] * from[i],
                    ElementFunction.Product => values[i] * from[i],
                    ElementFunction.AbsoluteProduct => Math.Abs(values[i] * from[i]),
                    ElementFunction.SquaredProduct => values[i] * from[i] * values[i] * from[i],
                    ElementFunction.Insensitive => values[i] * Math.Max(0, 1 - Math.Abs(from[i])),
                    _ => throw new ArgumentOutOfRangeException(nameof(function), function, null),
                };
                to[i] = !dense && !Lives(p, i) ? 0 : b == 0 ? a * result : a * result + b * to[i];
            }
        }
    }

    protected override void MapValuesCore(ReadOnlySpan<int> parameters, in ElementMap map, ReadOnlySpan<float> own)
    {
        for (int k = 0; k < parameters.Length; k++)
        {
            int p = parameters[k];
            Span<double> values = Doubles(p, ParameterSlot.Value);
            values.CopyTo(Doubles(p, ParameterSlot.Master));
            for (int i = 0; i < values.Length; i++)
                values[i] = Lives(p, i) ? ReferenceMaps.Value(map, own.IsEmpty ? 0 : own[k], values[i], Doubles(p, ParameterSlot.Gate)[i], Doubles(p, ParameterSlot.Score)[i]) : 0;
        }
    }

    protected override void MapGradientsCore(ReadOnlySpan<int> parameters, in ElementMap map, ReadOnlySpan<float> own)
    {
        for (int k = 0; k < parameters.Length; k++)
        {
            int p = parameters[k];
            Span<double> master = Doubles(p, ParameterSlot.Master), gradients = Doubles(p, ParameterSlot.Gradient), gates = Doubles(p, ParameterSlot.GateGradient);
            master.CopyTo(Doubles(p, ParameterSlot.Value));
            for (int i = 0; i < master.Length; i++)
            {
                (double w, double s) = ReferenceMaps.Gradients(map, own.IsEmpty ? 0 : own[k], master[i], Doubles(p, ParameterSlot.Gate)[i], Doubles(p, ParameterSlot.Score)[i], gradients[i]);
                gradients[i] = w;
                if (map.HasGateGradient) gates[i] = s;
            }
        }
    }

    protected override void MarkLargestCore(ReadOnlySpan<int> parameters, long keep, Ranking ranking)
    {
        Threshold threshold = FindThreshold(parameters, keep, ranking);
        long equal = 0;
        foreach (int p in parameters.ToArray().Order())
            for (int i = 0; i < Parameters[p].Elements; i++)
            {
                float rank = Rank(p, i, ranking);
                Doubles(p, ParameterSlot.Gate)[i] = Lives(p, i) && (rank > threshold.Value || (rank == threshold.Value && equal++ < threshold.KeepEqual)) ? 1 : 0;
            }
    }

    protected override void MarkGroupsCore(int parameter, int of, int keep, int positions, Ranking ranking)
    {
        Span<double> gates = Doubles(parameter, ParameterSlot.Gate);
        int inputs = Parameters[parameter].Shape[1], taps = gates.Length / Parameters[parameter].Shape[0] / inputs;
        for (int i = 0; i < gates.Length; i++)
        {
            int input = i / taps % inputs, first = i - input % of * taps, better = 0;
            float rank = Rank(parameter, i, ranking);
            for (int other = first; other < first + of * taps; other += taps)
                if (Lives(parameter, other) && (Rank(parameter, other, ranking) > rank || (Rank(parameter, other, ranking) == rank && other < i))) better++;
            gates[i] = Lives(parameter, i) && better < keep ? 1 : 0;
        }
    }

    protected override void SumOutputSquaresCore(ReadOnlySpan<int> parameters, Span<double> sums)
    {
        int place = 0;
        foreach (int p in parameters)
        {
            int fanIn = Parameters[p].Filter.FanIn;
            double[] values = Doubles(p, ParameterSlot.Value).ToArray();
            for (int o = 0; o < Parameters[p].Filter.Out; o++) sums[place++] = values.Skip(o * fanIn).Take(fanIn).Sum(w => w * w);
        }
    }

    protected override void CombineOutputsCore(ReadOnlySpan<int> parameters, ReadOnlySpan<float> factors, ParameterSlot y, float b)
    {
        int place = 0;
        foreach (int p in parameters)
        {
            Span<double> values = Doubles(p, ParameterSlot.Value), to = Doubles(p, y);
            for (int i = 0; i < values.Length; i++)
                if (Lives(p, i)) to[i] = factors[place + i / Parameters[p].Filter.FanIn] * values[i] + (b == 0 ? 0 : b * to[i]);
            place += Parameters[p].Filter.Out;
        }
    }

    protected override void MoveGatesCore(ReadOnlySpan<int> parameters, float below, float above)
    {
        foreach (int p in parameters)
        {
            Span<double> gates = Doubles(p, ParameterSlot.Gate), values = Doubles(p, ParameterSlot.Value);
            for (int i = 0; i < gates.Length; i++)
            {
                if (Math.Abs(values[i]) <= below) gates[i] = 0;
                else if (Math.Abs(values[i]) > above) gates[i] = 1;
            }
        }
    }

    private void Step(int parameter, int i, double decay, in UpdateRule rule, ParameterSlot value, ParameterSlot gradient, ParameterSlot state0, ParameterSlot state1)
    {
        ref double w = ref Doubles(parameter, value)[i];
        double g = Doubles(parameter, gradient)[i] + decay * w;
        ref double first = ref Doubles(parameter, state0)[i];
        if (rule.Kind == UpdateKind.Sgd) Sgd(ref w, g, ref first, rule);
        else Adam(ref w, g, ref first, ref Doubles(parameter, state1)[i], rule);
    }

    private static void Sgd(ref double w, double g, ref double velocity, in UpdateRule rule)
    {
        if (rule.Momentum != 0)
        {
            velocity = rule.Momentum * velocity + g;
            g = rule.Nesterov ? g + rule.Momentum * velocity : velocity;
        }
        w -= rule.LearningRate * g;
    }

    private static void Adam(ref double w, double g, ref double first, ref double second, in UpdateRule rule)
    {
        first = rule.Beta1 * first + (1.0 - rule.Beta1) * g;
        second = rule.Beta2 * second + (1.0 - rule.Beta2) * g * g;
        double mean = first / (1 - Math.Pow(rule.Beta1, rule.Step));
        double variance = second / (1 - Math.Pow(rule.Beta2, rule.Step));
        w -= rule.LearningRate * mean / (Math.Sqrt(variance) + rule.Epsilon);
    }

    private ParameterTensor Tensor(int parameter, ParameterSlot slot) => new(_slots[parameter, (int)slot], 0, Parameters[parameter]);
    private Span<double> Doubles(int parameter, ParameterSlot slot) => ReferenceBuffer.Doubles(Tensor(parameter, slot));
    private bool Lives(int parameter, int i) => _masks[parameter] is not { } mask || mask[i];
    private float Rank(int parameter, int i, Ranking ranking)
    {
        double number = Doubles(parameter, ranking.Slot())[i];
        return (float)(ranking.IsSigned() ? number : Math.Abs(number));
    }

    private void Clear(int parameter, int i)
    {
        Doubles(parameter, ParameterSlot.Value)[i] = 0;
        Doubles(parameter, ParameterSlot.State0)[i] = 0;
        Doubles(parameter, ParameterSlot.State1)[i] = 0;
    }
}
