using Asni.Data;
using Asni.Devices;

namespace Asni.Engine;

/// <summary>
/// Gradients that no step of training follows, for scores: batch-norm takes its running statistics, leaves them as they are, and passes gradients through as a constant
/// scale; what is differentiated is a <see cref="LogitLoss"/>, computed on the host. One caller at a time, as a <see cref="Plan"/>.
/// </summary>
internal sealed class GradientPlan : IDisposable
{
    private readonly Model _model;
    private readonly PlanStep[] _steps;
    private readonly DeviceBuffer _arena;
    private readonly DeviceTensor _input, _logits, _dlogits;
    private readonly int[] _labels, _others;
    private readonly float[] _hostLogits, _hostGradient;
    private int _count, _masksVersion = -1;

    /// <param name="batch">Largest number of samples a run can hold.</param>
    public GradientPlan(Model model, int batch)
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(batch, 1);
        _model = model;
        BatchSize = batch;
        using SingleCaller.Call call = model.Device.Caller.Enter();
        (_steps, _arena, _input, _logits, _dlogits) = new PlanBuilder(model, batch, training: true) { Frozen = true }.Build();
        _labels = new int[batch];
        _others = [.. model.Network.Trained.Where(p => !p.IsWeight).Select(p => p.Index)];
        (_hostLogits, _hostGradient) = (new float[batch * model.Network.Classes], new float[batch * model.Network.Classes]);
    }

    public int BatchSize { get; }

    /// <summary>Copies a batch of images to the device.</summary>
    public void Load(Batch batch, Normalization normalization)
    {
        using SingleCaller.Call call = _model.Device.Caller.Enter();
        SetLabels(batch.Labels.AsSpan(0, batch.Count));
        _model.Device.UploadImages(batch.Pixels.AsSpan(0, batch.Count * _model.Network.Input.Elements), normalization, _input.WithBatch(_count));
    }

    /// <summary>Copies ready inputs (N, C, H, W) to the device; N is the number of labels.</summary>
    public void Load(ReadOnlySpan<float> nchw, ReadOnlySpan<int> labels)
    {
        using SingleCaller.Call call = _model.Device.Caller.Enter();
        SetLabels(labels);
        _model.Device.Upload(nchw, _input.WithBatch(_count));
    }

    /// <summary>Takes the batch that another plan of the same model has loaded and not run yet.</summary>
    public void Load(Plan from, ReadOnlySpan<int> labels)
    {
        using SingleCaller.Call call = _model.Device.Caller.Enter();
        SetLabels(labels);
        _model.Device.Copy(from.Input, accumulate: false, _input.WithBatch(_count));
    }

    /// <summary>Zeroes the gradients of all but weights: a step of training counts on 0 where it writes none itself, at biases before batch-norm.</summary>
    public void ClearOthers() => _model.Parameters.Combine(_others, ElementFunction.Identity, ParameterSlot.Value, ParameterSlot.Gradient, a: 0);

    /// <summary>Forward and backward of the loaded batch: afterwards the model's gradients are those of the loss.</summary>
    /// <param name="dense">Those of pruned weights too; without it what stands there means nothing.</param>
    /// <returns>The loss.</returns>
    public double Run(LogitLoss loss, bool dense = false)
    {
        using SingleCaller.Call call = _model.Device.Caller.Enter();
        TakeChangedMasks();
        foreach (PlanStep step in _steps) step.Forward(_count, training: false);
        Span<float> logits = _hostLogits.AsSpan(0, _count * _model.Network.Classes), gradient = _hostGradient.AsSpan(0, logits.Length);
        _model.Device.Download(_logits.WithBatch(_count), logits);
        double value = loss(logits, _labels.AsSpan(0, _count), gradient);
        _model.Device.Upload(gradient, _dlogits.WithBatch(_count));
        for (int i = _steps.Length - 1; i >= 0; i--) _steps[i].Backward(_count, dense);
        return value;
    }

    public void Dispose()
    {
        using SingleCaller.Call call = _model.Device.Caller.Enter();
        foreach (PlanStep step in _steps) step.Dispose();
        _arena.Dispose();
    }

    private void TakeChangedMasks()
    {
        if (_masksVersion == _model.Parameters.MasksVersion) return;
        foreach (PlanStep step in _steps) step.TakeMask(_model.Parameters);
        _masksVersion = _model.Parameters.MasksVersion;
    }

    private void SetLabels(ReadOnlySpan<int> labels)
    {
        if (labels.Length < 1 || labels.Length > BatchSize) throw new ArgumentOutOfRangeException(nameof(labels), labels.Length, $"1 to {BatchSize} samples");
        _count = labels.Length;
        labels.CopyTo(_labels);
    }
}
