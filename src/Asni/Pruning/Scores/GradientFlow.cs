using Asni.Devices;
using Asni.Engine;
using Asni.Networks;

namespace Asni.Pruning;

/// <summary>
/// w (H g), with g the gradient and H the second derivatives of the loss: to first order, half of what |g|^2 loses when a weight is taken away (Wang, Zhang, Grosse 2020,
/// arXiv 2002.07376, which removes the largest -w (H g)). H g = (g(w + e g) - g(w - e g)) / 2e with e = 3e-4 (1 + |w|) / |g|.
/// </summary>
/// <param name="gradient">Of the same model.</param>
internal sealed class GradientFlow(IGradient gradient) : IScore
{
    private const double RelativeStep = 3e-4;

    public Ranking Write(Model model, IEnumerable<Parameter> parameters)
    {
        Parameter[] tensors = [.. parameters];
        int[] indices = [.. tensors.Select(p => p.Index)];
        DeviceParameters on = model.Parameters;
        float[][] values = Read(on, tensors, ParameterSlot.Value);
        on.ResetState();
        gradient.AddTo(ParameterSlot.State0, indices, 1);
        double norm = Norm(Read(on, tensors, ParameterSlot.State0));
        // Where the gradient is 0 all scores are.
        float step = norm > 0 ? (float)(RelativeStep * (1 + Norm(values)) / norm) : 1;
        foreach (int side in (int[])[1, -1])
        {
            on.Combine(indices, ElementFunction.Identity, ParameterSlot.State0, ParameterSlot.Value, side * step, b: 1);
            gradient.AddTo(ParameterSlot.State1, indices, side);
            // The values as they were, to the bit.
            foreach ((Parameter p, float[] before) in tensors.Zip(values)) on.Upload(p.Index, ParameterSlot.Value, before);
        }
        on.Combine(indices, ElementFunction.Product, ParameterSlot.State1, ParameterSlot.Score, (float)(0.5 / step));
        on.ResetState();
        return Ranking.Score;
    }

    private static float[][] Read(DeviceParameters on, Parameter[] tensors, ParameterSlot slot)
    {
        float[][] all = [.. tensors.Select(p => new float[p.Elements])];
        foreach ((Parameter p, float[] numbers) in tensors.Zip(all)) on.Download(p.Index, slot, numbers);
        return all;
    }

    private static double Norm(float[][] tensors) => Math.Sqrt(tensors.Sum(t => t.Sum(x => (double)x * x)));
}
