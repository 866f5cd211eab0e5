using Asni.Devices;
using Asni.Engine;

namespace Asni.Training.Policies;

/// <summary>v = w |w|^(alpha - 1): the larger a weight, the faster it moves (Schwarz et al. 2021, arXiv 2110.00296, equation 3).</summary>
internal sealed class PoweredWeights(Model model, double alpha, long kept, Action<TrainingNote> note) : EffectiveWeights(model, kept, note)
{
    private readonly ElementMap _map = new(MapFunction.SignedPower, (float)alpha);

    /// <summary>Makes v what the network's initial weights are: w = sign(v) |v|^(1 / alpha).</summary>
    public void Begin()
    {
        for (int k = 0; k < Indices.Length; k++)
        {
            float[] values = Download(Weights[k], ParameterSlot.Value);
            if (alpha != 1)
                for (int i = 0; i < values.Length; i++) values[i] = MathF.CopySign(MathF.Pow(MathF.Abs(values[i]), (float)(1 / alpha)), values[i]);
            Model.Parameters.Upload(Indices[k], ParameterSlot.Value, values);
        }
    }

    protected override ElementMap Trained(in StepPoint at) => _map;

    protected override ElementMap Evaluated(in StepPoint at) => _map;

    protected override float Margin(float w, float s, int tensor) => MathF.Abs(w);
}
