using System.Collections.Immutable;
using Asni.Devices;
using Asni.Engine;
using Asni.Networks;

namespace Asni.Training.Policies;

/// <summary>
/// v = sign(w) max(0, |w| - P(s)), P the logistic function, with one trained s a tensor (soft threshold reparameterization: Kusupati et al. 2020, arXiv 2002.03231, equation 3).
/// s is updated by SGD as weights are, with a weight decay of its own.
/// </summary>
/// <param name="initial">s at first.</param>
/// <param name="rule">Of the step that ends at a place.</param>
internal sealed class ThresholdedWeights(Model model, double initial, Func<StepPoint, UpdateRule> rule, long? kept, Action<TrainingNote> note) : EffectiveWeights(model, kept, note)
{
    private const string Name = "threshold", VelocityName = "threshold.state0";

    private float[] _logits = [.. model.Network.Weights.Select(_ => (float)initial)], _velocity = new float[model.Network.Weights.Count()];
    private readonly SignStatistics[] _sums = new SignStatistics[model.Network.Weights.Count()];

    /// <summary>P(s) of each weight tensor.</summary>
    protected override float[] Own => [.. _logits.Select(s => (float)Logistic(s))];

    public override PolicyState Save() => PolicyState.Of(Model.Network, new Dictionary<string, float[]> { [Name] = [.. _logits], [VelocityName] = [.. _velocity] }.ToImmutableSortedDictionary(StringComparer.Ordinal));

    public override void Restore(PolicyState state) => (_logits, _velocity) = ([.. state.Tensor(Name, _logits.Length)], [.. state.Tensor(VelocityName, _velocity.Length)]);

    protected override ElementMap Trained(in StepPoint at) => new(MapFunction.SoftThreshold);

    protected override ElementMap Evaluated(in StepPoint at) => new(MapFunction.SoftThreshold);

    protected override float Margin(float w, float s, int tensor) => MathF.Abs(w) - (float)Logistic(_logits[tensor]);

    /// <summary>ds = -P(s) (1 - P(s)) sum of dv sign(w) where |w| > P(s).</summary>
    protected override void Update(in StepPoint at)
    {
        UpdateRule step = rule(at);
        Model.Parameters.SumBySign(Indices, new float[Indices.Length], _sums, ParameterSlot.GateGradient);
        for (int k = 0; k < _logits.Length; k++)
        {
            double p = Logistic(_logits[k]);
            float gradient = (float)(-p * (1 - p) * (_sums[k].SumAbove + _sums[k].SumBelow)) + step.WeightDecay * _logits[k];
            _velocity[k] = step.Momentum * _velocity[k] + gradient;
            _logits[k] -= step.LearningRate * (step.Nesterov ? gradient + step.Momentum * _velocity[k] : _velocity[k]);
        }
    }

    private static double Logistic(double y) => 1 / (1 + Math.Exp(-y));
}
