using Asni.Devices;
using Asni.Engine;
using Asni.Networks;

namespace Asni.Pruning;

/// <summary>
/// w (H g), with g the gradient and H the second derivatives of the loss: to first order, half of what |g|^2 loses when a weight is taken away (Wang, Zhang, Grosse 2020,
/// arXiv 2002.07376, which removes the largest -w (H g)).
/// </summary>
/// <param name="gradient">Of the same model.</param>
internal sealed class GradientFlow(IGradient gradient) : IScore
{
    public Ranking Write(Model model, IEnumerable<Parameter> parameters)
    {
        Parameter[] tensors = [.. parameters];
        int[] indices = [.. tensors.Select(p => p.Index)];
        DeviceParameters on = model.Parameters;
        on.ResetState();
        gradient.AddTo(ParameterSlot.State0, indices, 1);
        float factor = SecondDerivatives.AddTimesDirection(model, gradient, tensors);
        on.Combine(indices, ElementFunction.Product, ParameterSlot.State1, ParameterSlot.Score, factor);
        on.ResetState();
        return Ranking.Score;
    }
}
