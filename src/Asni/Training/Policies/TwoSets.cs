using Asni.Devices;
using Asni.Engine;
using Asni.Pruning;

namespace Asni.Training.Policies;

/// <summary>
/// Top-KAST (Jayakumar, Pascanu, Rae, Osindero, Elsen 2020, arXiv 2106.03517): the network computes with A, the D N largest weights of each layer, and updates B, the (D + M) N largest. A penalty of
/// lambda w^2 / 2 on A, and by 1 / D more on the rest of B, lets the order change. What is in neither keeps its value, whatever the optimizer's
/// momentum and decay.
/// </summary>
/// <param name="sparsity">1 - D.</param>
/// <param name="backward">1 - D - M.</param>
internal sealed class TwoSets(Model model, Pruner pruner, double sparsity, double backward, double lambda, long last, Action<TrainingNote> note) : MarkedWeights(model, pruner, sparsity, last, note)
{
    private const ParameterSlot MarksOfA = ParameterSlot.GateState0, MarksOfB = ParameterSlot.GateState1;

    private readonly double _sparsity = sparsity;

    protected override void Mark(in StepPoint at)
    {
        Pruner.Mark(backward);
        Copy(ParameterSlot.Gate, MarksOfB);
        Pruner.Mark(_sparsity);
        Copy(ParameterSlot.Gate, MarksOfA);
    }

    protected override void Restore()
    {
        Copy(MarksOfB, ParameterSlot.Gate);
        RestoreMarked();
        double more = lambda / (1 - _sparsity);
        Model.Parameters.Combine(Indices, ElementFunction.Product, MarksOfB, ParameterSlot.Gradient, a: (float)more, b: 1);
        Model.Parameters.Combine(Indices, ElementFunction.Product, MarksOfA, ParameterSlot.Gradient, a: (float)(lambda - more), b: 1);

        // What the update must leave as it is.
        WriteUnmarked(MarksOfB);
    }

    protected override void AfterUpdate()
    {
        KeepMarked();
        Model.Parameters.Combine(Indices, ElementFunction.Identity, ParameterSlot.Score, ParameterSlot.Value, a: 1, b: 1);
    }

    private void Copy(ParameterSlot from, ParameterSlot to) => Model.Parameters.Combine(Indices, ElementFunction.Identity, from, to, dense: true);
}
