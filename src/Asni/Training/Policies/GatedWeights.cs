using System.Collections.Immutable;
using Asni.Devices;
using Asni.Engine;
using Asni.Networks;
using Asni.Pruning;
using Asni.Tensors;

namespace Asni.Training.Policies;

/// <summary>Fills numbers at random.</summary>
internal delegate void NoiseFill(SplitMix64 random, Span<float> numbers);

/// <summary>What a gate does: functions of the time within the phase, and when it is open.</summary>
/// <param name="Trained">The function that a step trains.</param>
/// <param name="Evaluated">The same without noise.</param>
/// <param name="Margin">Of weight and gate; above 0 the weight is kept.</param>
/// <param name="Rule">Of the gates' update in a step.</param>
internal sealed record GateFunctions(Func<StepPoint, ElementMap> Trained, Func<StepPoint, ElementMap> Evaluated, Func<float, float, float> Margin, Func<StepPoint, UpdateRule> Rule)
{
    /// <summary>Numbers that the function has as noise, drawn anew each step; null: none.</summary>
    public NoiseFill? Noise { get; init; }

    /// <summary>Random numbers are pure functions of it, the step, the tensor and the element.</summary>
    public ulong Seed { get; init; }

    /// <summary>What happens to a gate between epochs; null: nothing.</summary>
    public Func<StepPoint, Func<float, float>?> Change { get; init; } = _ => null;

    /// <summary>Whether the gates' optimizer state begins anew with that.</summary>
    public bool Restarts { get; init; }
}

/// <summary>Trains a gate beside each weight, by an update of its own.</summary>
internal sealed class GatedWeights(Model model, GateFunctions gates, long? kept, Action<TrainingNote> note) : EffectiveWeights(model, kept, note)
{
    private const ulong Purpose = 12;

    private float[]? _drawn;

    private readonly ImmutableArray<SlotState> _saved =
    [
        new(model, ParameterSlot.Gate, "gate", model.Network.Weights), new(model, ParameterSlot.GateState0, "gate.state0", model.Network.Weights),
        new(model, ParameterSlot.GateState1, "gate.state1", model.Network.Weights),
    ];

    /// <summary>Sets all gates at first.</summary>
    /// <param name="gate">Of a weight tensor, by its place, one number after the other.</param>
    public void Begin(Func<int, Func<float>> gate)
    {
        for (int k = 0; k < Indices.Length; k++)
        {
            Func<float> next = gate(k);
            var numbers = new float[Weights[k].Elements];
            for (int i = 0; i < numbers.Length; i++) numbers[i] = next();
            Model.Parameters.Upload(Indices[k], ParameterSlot.Gate, numbers);
            ClearState(Weights[k]);
        }
    }

    private void ClearState(Parameter p)
    {
        foreach (ParameterSlot state in (ParameterSlot[])[ParameterSlot.GateState0, ParameterSlot.GateState1]) Model.Parameters.Upload(p.Index, state, new float[p.Elements]);
    }

    public override PolicyState Save() => PolicyState.Of(Model.Network, _saved.SelectMany(s => s.Save().Tensors).ToImmutableSortedDictionary(StringComparer.Ordinal));

    public override void Restore(PolicyState state)
    {
        foreach (SlotState slot in _saved) slot.Restore(state);
    }

    protected override ElementMap Trained(in StepPoint at) => gates.Trained(at);

    protected override ElementMap Evaluated(in StepPoint at) => gates.Evaluated(at);

    protected override float Margin(float w, float s, int tensor) => gates.Margin(w, s);

    public override PruneOutcome? BetweenEpochs(in StepPoint at)
    {
        if (gates.Change(at) is not { } change) return null;
        foreach (Parameter p in Weights)
        {
            Model.Parameters.Upload(p.Index, ParameterSlot.Gate, Array.ConvertAll(Download(p, ParameterSlot.Gate), s => change(s)));
            if (gates.Restarts) ClearState(p);
        }
        return null;
    }

    protected override void Update(in StepPoint at) => Model.Parameters.UpdateGates(Indices, gates.Rule(at));

    protected override void WriteNoise(in StepPoint at)
    {
        if (gates.Noise is not { } noise) return;
        _drawn ??= new float[Weights.Max(p => p.Elements)];
        for (int k = 0; k < Indices.Length; k++)
        {
            Span<float> drawn = _drawn.AsSpan(0, (int)Weights[k].Elements);
            noise(SplitMix64.Fork(gates.Seed, Purpose, (ulong)at.Done, (ulong)k), drawn);
            Model.Parameters.Upload(Indices[k], ParameterSlot.Score, drawn);
        }
    }
}
