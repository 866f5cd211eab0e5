using Asni.Data;
using Asni.Devices;
using Asni.Engine;

namespace Asni.Pruning;

/// <summary>The gradient of a model's loss, wherever its weights are.</summary>
internal interface IGradient
{
    /// <summary>slot += factor * gradient, of these parameters.</summary>
    void AddTo(ParameterSlot slot, ReadOnlySpan<int> parameters, float factor);
}

/// <summary>Of the mean cross-entropy of logits / T over some images, batch after batch. Batch-norm's statistics stay as they are.</summary>
/// <param name="temperature">T.</param>
internal sealed class LossGradient(Model model, ScoringImages images, int batchSize, double temperature = 1) : IGradient, IDisposable
{
    private readonly GradientPlan _plan = new(model, Math.Min(batchSize, images.Indices.Length));
    private readonly Batch _batch = new(Math.Min(batchSize, images.Indices.Length), images.Data.Shape);
    private readonly LogitLoss _loss = LogitLosses.CrossEntropy(temperature, images.Indices.Length);

    public void AddTo(ParameterSlot slot, ReadOnlySpan<int> parameters, float factor)
    {
        for (int first = 0; first < images.Indices.Length; first += _batch.Capacity)
        {
            images.Fill(_batch, first);
            _plan.Load(_batch, images.Data.Normalization);
            _plan.Run(_loss);
            model.Parameters.Combine(parameters, ElementFunction.Identity, ParameterSlot.Gradient, slot, factor, b: 1);
        }
    }

    public void Dispose() => _plan.Dispose();
}
