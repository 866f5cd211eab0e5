using Asni.Devices;
using Asni.Engine;
using Asni.Networks;
using Asni.Pruning;
using Asni.Tensors;

namespace Asni.Training.Policies;

/// <summary>
/// Dynamic network surgery (Guo, Yao, Chen 2016, arXiv 1608.04493): all weights are updated; a weight loses its mark when |w| is at most a, and has it again when |w| is above b > a. Marks move
/// after a step t with probability (1 + gamma t)^-power. Here a and b are 0.9 and 1.1 times the magnitude of the K-th largest weight.
/// </summary>
internal sealed class Surgery(Model model, Pruner pruner, double sparsity, long last, ulong seed, (double Gamma, double Power) decay, Action<TrainingNote> note)
    : MarkedWeights(model, pruner, sparsity, last, note)
{
    private const float Below = 0.9f, Above = 1.1f;
    private const ulong Purpose = 14;

    private readonly SlotState _marks = new(model, ParameterSlot.Gate, "mark", pruner.Tensors);
    private readonly long _kept = Quota.At(sparsity, pruner.Tensors);

    public override PolicyState Save() => _marks.Save();

    public override void Restore(PolicyState state) => _marks.Restore(state);

    protected override void Mark(in StepPoint at)
    {
        long before = at.Done - 1;
        if (before == 0) Pruner.Mark(0);
        if (SplitMix64.Fork(seed, Purpose, (ulong)before).NextDouble() >= Math.Pow(1 + decay.Gamma * before, -decay.Power)) return;
        float middle = Model.Parameters.FindThreshold(Indices, _kept).Value;
        Model.Parameters.MoveGates(Indices, Below * middle, Above * middle);
    }

    /// <summary>As they are trained with.</summary>
    protected override void MarkEvaluated(in StepPoint at) { }
}
