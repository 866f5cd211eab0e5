using Asni.Devices;

namespace Asni.Cuda;

internal sealed partial class CudaParameters
{
    /// <summary>The numbers of a step, in memory: a recorded step reads what is there when it is replayed.</summary>
    private readonly CudaBuffer _rule;

    public override void Update(in UpdateRule rule)
    {
        SetRule(rule);
        var args = new UpdateArgs { Arena = _arena, Chunks = _trained.Pointer, Rule = _rule.Pointer };
        Launch("update", _trained.Count, in args);
    }

    public override void UpdateGates(ReadOnlySpan<int> parameters, in UpdateRule rule)
    {
        SetRule(rule with { DecayVectors = true });
        ChunkList list = List(parameters);
        ArenaArgs gates = _arena with
        {
            Values = Slot(ParameterSlot.Gate).Pointer,
            Gradients = Slot(ParameterSlot.GateGradient).Pointer,
            State0 = Slot(ParameterSlot.GateState0).Pointer,
            State1 = Slot(ParameterSlot.GateState1).Pointer,
            Masks = AllLive(),
            Copies = 0,
        };
        var args = new UpdateArgs { Arena = gates, Chunks = list.Pointer, Rule = _rule.Pointer };
        Launch("update", list.Count, in args);
    }

    private void SetRule(in UpdateRule rule)
    {
        RuleArgs args = rule.Kind == UpdateKind.Adam ? Adam(rule) : new RuleArgs
        {
            Step = -rule.LearningRate,
            Momentum = rule.Momentum,
            Kind = rule.Momentum == 0 ? 0 : rule.Nesterov ? 2 : 1,
        };
        args.WeightDecay = rule.WeightDecay;
        args.DecayVectors = rule.DecayVectors ? 1 : 0;
        _stream.Upload<RuleArgs>(_rule.Pointer, [args]);
    }

    private static RuleArgs Adam(in UpdateRule rule)
    {
        // Through decimal: 0.999f means 0.999, and 1 - 0.999 would keep five digits of the float's rounding error.
        double beta1 = (double)(decimal)rule.Beta1, beta2 = (double)(decimal)rule.Beta2;
        return new RuleArgs
        {
            Kind = 3,
            Beta1 = (float)beta1,
            Beta2 = (float)beta2,
            Rest1 = (float)(1 - beta1),
            Rest2 = (float)(1 - beta2),
            Step = (float)(-rule.LearningRate / (1 - Math.Pow(beta1, rule.Step))),
            Correction = (float)(1 / Math.Sqrt(1 - Math.Pow(beta2, rule.Step))),
            Epsilon = rule.Epsilon,
        };
    }

    private struct UpdateArgs
    {
        public ArenaArgs Arena;
        public ulong Chunks, Rule;
    }

    private struct RuleArgs
    {
        public float Step, WeightDecay, Momentum, Beta1, Beta2, Rest1, Rest2, Correction, Epsilon;
        public int Kind, DecayVectors;
    }
}
