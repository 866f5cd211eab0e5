using System.Collections.Immutable;
using Asni.Devices;
using Asni.Engine;
using Asni.Networks;
using Asni.Pruning;

namespace Asni.Training.Policies;

/// <summary>
/// The alternating direction method of multipliers with at most K nonzeros (Zhang et al. 2018, arXiv 1804.03294): training of L + rho / 2 |w - z + u|^2 and, now and then,
/// z &lt;- the K largest of w + u, u &lt;- u + w - z. The first time z is the K largest of w, and u is 0. All weights live.
/// </summary>
/// <param name="kept">K, over all layers together.</param>
/// <param name="updates">After which steps z and u change; after 0 steps: before the first. The penalty begins with the first of them.</param>
internal sealed class Admm(Model model, long kept, double rho, Cadence updates) : IMaskPolicy
{
    private readonly ImmutableArray<Parameter> _weights = [.. model.Network.Weights];
    private readonly int[] _indices = [.. model.Network.Weights.Select(p => p.Index)];

    /// <summary>z - u is in the score slot, which is all that steps need; u by weight tensor.</summary>
    private readonly SlotState _target = new(model, ParameterSlot.Score, "target", model.Network.Weights);
    private readonly float[][] _dual = [.. model.Network.Weights.Select(p => new float[p.Elements])];

    public StepNeeds BeforeStep(in StepPoint at)
    {
        if (updates.IsDue(at.Done - 1)) Update(isFirst: at.Done - 1 == updates.First);
        return default;
    }

    public void AfterBackward(in StepPoint at)
    {
        if (at.Done <= updates.First) return;
        model.Parameters.Combine(_indices, ElementFunction.Identity, ParameterSlot.Value, ParameterSlot.Gradient, (float)rho, 1);
        model.Parameters.Combine(_indices, ElementFunction.Identity, ParameterSlot.Score, ParameterSlot.Gradient, -(float)rho, 1);
    }

    public PruneOutcome? AfterStep(in StepPoint at) => null;

    public PruneOutcome? BetweenEpochs(in StepPoint at) => null;

    public PolicyState? Save()
    {
        PolicyState state = _target.Save();
        return state with { Tensors = state.Tensors.AddRange(_weights.Select((p, i) => KeyValuePair.Create(NameOfDual(p), _dual[i].ToArray()))) };
    }

    public void Restore(PolicyState state)
    {
        _target.Restore(state);
        for (int i = 0; i < _dual.Length; i++) state.Tensor(NameOfDual(_weights[i]), _weights[i].Elements).CopyTo(_dual[i], 0);
    }

    private static string NameOfDual(Parameter p) => $"{p.Name}.dual";

    private void Update(bool isFirst)
    {
        DeviceParameters parameters = model.Parameters;
        var sums = new float[_weights.Length][];
        for (int i = 0; i < sums.Length; i++)
        {
            sums[i] = new float[_weights[i].Elements];
            parameters.Download(_indices[i], ParameterSlot.Value, sums[i]);
            for (int k = 0; k < sums[i].Length; k++) sums[i][k] += _dual[i][k];
            // Ranked by magnitude there; the step to come writes gradients anew.
            parameters.Upload(_indices[i], ParameterSlot.Gradient, sums[i]);
        }
        Threshold cut = parameters.FindThreshold(_indices, kept, Ranking.Gradient);
        long equal = cut.KeepEqual;
        for (int i = 0; i < sums.Length; i++)
        {
            for (int k = 0; k < sums[i].Length; k++)
            {
                float sum = sums[i][k], magnitude = MathF.Abs(sum);
                bool stays = magnitude > cut.Value || (magnitude == cut.Value && equal-- > 0);
                // u + w - z is 0 where z = w + u, and w + u elsewhere.
                _dual[i][k] = isFirst || stays ? 0 : sum;
                sums[i][k] = (stays ? sum : 0) - _dual[i][k];
            }
            parameters.Upload(_indices[i], ParameterSlot.Score, sums[i]);
        }
    }
}
