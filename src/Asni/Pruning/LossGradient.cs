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
/// <param name="meanOver">Images that the mean is over; null: all of them. With a batch's number, each of <see cref="Batches"/> is the gradient of a mean.</param>
/// <param name="dense">Of pruned weights too, into a slot that masks leave as it is.</param>
internal sealed class LossGradient(Model model, ScoringImages images, int batchSize, double temperature = 1, int? meanOver = null, bool dense = false) : IGradient, IDisposable
{
    private readonly GradientPlan _plan = new(model, Math.Min(batchSize, images.Indices.Length));
    private readonly Batch _batch = new(Math.Min(batchSize, images.Indices.Length), images.Data.Shape);
    private readonly LogitLoss _loss = LogitLosses.CrossEntropy(temperature, meanOver ?? images.Indices.Length);

    /// <summary>Between two batches it is left, with an OperationCanceledException.</summary>
    public CancellationToken Cancellation { get; init; }

    /// <summary>What each batch adds to the gradient.</summary>
    public IReadOnlyList<IGradient> Batches => [.. Enumerable.Range(0, (images.Indices.Length + _batch.Capacity - 1) / _batch.Capacity).Select(b => new OfBatch(this, b))];

    public void AddTo(ParameterSlot slot, ReadOnlySpan<int> parameters, float factor)
    {
        foreach (IGradient batch in Batches) batch.AddTo(slot, parameters, factor);
    }

    public void Dispose()
    {
        _plan.ClearOthers();
        _plan.Dispose();
    }

    private sealed class OfBatch(LossGradient whole, int batch) : IGradient
    {
        public void AddTo(ParameterSlot slot, ReadOnlySpan<int> parameters, float factor) => whole.AddTo(batch, slot, parameters, factor);
    }

    private void AddTo(int batch, ParameterSlot slot, ReadOnlySpan<int> parameters, float factor)
    {
        Cancellation.ThrowIfCancellationRequested();
        images.Fill(_batch, batch * _batch.Capacity);
        _plan.Load(_batch, images.Data.Normalization);
        _plan.Run(_loss, dense);
        model.Parameters.Combine(parameters, ElementFunction.Identity, ParameterSlot.Gradient, slot, factor, b: 1, dense);
    }
}
