using Asni.Devices;
using Asni.Engine;
using Asni.Networks;

namespace Asni.Pruning;

/// <summary>|w dL/dw|: how much the loss changes when a weight is taken away, to first order (Lee, Ajanthan, Torr 2019, arXiv 1810.02340).</summary>
/// <param name="gradient">Of the same model.</param>
internal sealed class Saliency(IGradient gradient) : IScore
{
    public Ranking Write(Model model, IEnumerable<Parameter> parameters)
    {
        int[] indices = [.. parameters.Select(p => p.Index)];
        model.Parameters.ResetState();
        gradient.AddTo(ParameterSlot.State0, indices, 1);
        model.Parameters.Combine(indices, ElementFunction.AbsoluteProduct, ParameterSlot.State0, ParameterSlot.Score);
        model.Parameters.ResetState();
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
