using Asni.Devices;
using Asni.Engine;
using Asni.Networks;

namespace Asni.Pruning;

/// <summary>|w dL/dw|: how much the loss changes when a weight is taken away, to first order (Lee, Ajanthan, Torr 2019, arXiv 1810.02340).</summary>
/// <param name="gradient">Of the same model; where pruned weights are scored too, dense.</param>
/// <param name="revive">
/// Pruned weights are scored too, by the value that they had when the score was written first, and all live again with it until the next cut: FORCE (de Jorge et al. 2021,
/// arXiv 2006.09081). The gradient is that of the pruned network.
/// </param>
internal sealed class Saliency(IGradient gradient, bool revive = false) : IScore
{
    private bool _hasValues;

    public Ranking Write(Model model, IEnumerable<Parameter> parameters)
    {
        DeviceParameters on = model.Parameters;
        int[] indices = [.. parameters.Select(p => p.Index)];
        if (revive && !_hasValues) on.Combine(indices, ElementFunction.Identity, ParameterSlot.Value, ParameterSlot.Master);
        _hasValues = true;
        on.Combine(indices, ElementFunction.Identity, ParameterSlot.Value, ParameterSlot.Score, a: 0, dense: true);
        gradient.AddTo(ParameterSlot.Score, indices, 1);
        if (revive)
        {
            foreach (int p in indices) on.SetMask(p, null);
            on.RestoreValues(indices);
        }
        on.Combine(indices, ElementFunction.AbsoluteProduct, ParameterSlot.Score, ParameterSlot.Score);
        return Ranking.Score;
    }
}

/// <summary>Another score with the sign turned: the smallest stay. The control that shows whether the order counts.</summary>
internal sealed class Inverted(IScore score) : IScore
{
    public Ranking Write(Model model, IEnumerable<Parameter> parameters)
    {
        Parameter[] all = [.. parameters];
        int[] indices = [.. all.Select(p => p.Index)];
        (ElementFunction function, ParameterSlot slot) = score.Write(model, all) == Ranking.Magnitude
            ? (ElementFunction.Absolute, ParameterSlot.Value) : (ElementFunction.Identity, ParameterSlot.Score);
        model.Parameters.Combine(indices, function, slot, ParameterSlot.Score, a: -1);
        return Ranking.Score;
    }
}
