using Asni.Devices;
using Asni.Engine;

namespace Asni.Training;

/// <summary>
/// Gradients of another function of the logits than the loss, on the batch that a step is about to train. Batch-norm takes its running statistics and leaves them as they are. One
/// caller at a time, as a <see cref="Plan"/>.
/// </summary>
internal sealed class BatchGradient : IDisposable
{
    private readonly Plan _training;
    private readonly BatchFeed _feed;
    private readonly GradientPlan _plan;
    private readonly int[] _weights;

    /// <param name="training">Loads and trains the batches.</param>
    /// <param name="feed">Of that plan.</param>
    public BatchGradient(Plan training, BatchFeed feed)
    {
        (_training, _feed) = (training, feed);
        _plan = new GradientPlan(training.Model, training.BatchSize);
        _weights = [.. training.Model.Network.Weights.Select(p => p.Index)];
    }

    /// <summary>Writes the gradient of the weights into a slot, before the step's own forward pass. Those of pruned weights become +0.</summary>
    /// <param name="of">What is differentiated.</param>
    public void Write(LogitLoss of, ParameterSlot slot)
    {
        DeviceParameters parameters = _training.Model.Parameters;
        _plan.Load(_training, _feed.Labels());
        _plan.Run(of);
        parameters.Combine(_weights, ElementFunction.Identity, ParameterSlot.Gradient, slot);
        _plan.ClearOthers();
    }

    public void Dispose() => _plan.Dispose();
}
