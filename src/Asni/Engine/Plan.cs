using Asni.Data;
using Asni.Devices;
using Asni.Networks;
using Asni.Tensors;

namespace Asni.Engine;

/// <summary>
/// A network made ready for a device and a largest batch: fused steps in order, operations prepared, all activations and their gradients
/// in one arena planned from their lifetimes. Running it is a flat list of device calls that allocates nothing.
/// One caller at a time, of all plans on a device: a second one gets an <see cref="InvalidOperationException"/>.
/// </summary>
internal sealed class Plan : IDisposable
{
    private readonly PlanStep[] _steps;
    private readonly DeviceBuffer _arena;
    private readonly DeviceBuffer _labels;
    private readonly LossOperation _loss;
    private readonly DeviceTensor _input;
    private readonly DeviceTensor _logits;
    private readonly DeviceTensor _dlogits;
    private readonly RecordedWork _evaluation;
    private RecordedWork _training, _denseTraining;
    private readonly Device _device;
    private int _masksVersion = -1;
    private int _meanOver;
    private Action<int>? _afterBackward;
    private bool _disposed;

    /// <param name="batch">Largest number of samples a run can hold.</param>
    /// <param name="training">False: forward only, with running statistics and activation memory reused as soon as possible.</param>
    public Plan(Model model, int batch, bool training, float labelSmoothing = 0) : this(model, model.Device, batch, training, labelSmoothing, null) { }

    /// <param name="device">The model's, or one for another caller.</param>
    /// <param name="like">A plan for inference of the same model and batch, which shares with this one what operations made of the weights; null: none.</param>
    private Plan(Model model, Device device, int batch, bool training, float labelSmoothing, Plan? like)
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(batch, 1);
        (Model, _device) = (model, device);
        BatchSize = batch;
        Training = training;
        using SingleCaller.Call call = device.Caller.Enter();
        var built = new PlanBuilder(model, device, batch, training, like?._steps).Build();
        (_steps, _arena, _input, _logits, _dlogits) = built;
        _labels = device.Allocate(sizeof(int) * (long)batch);
        _loss = device.CreateLoss(batch, model.Network.Classes, labelSmoothing);
        Count = batch;
        _training = NewTraining();
        _denseTraining = NewDenseTraining();
        _evaluation = new RecordedWork(device, IssueEvaluation);
    }

    /// <summary>
    /// A plan for inference as this one is, for another caller at the same time. Weights and masks must stay as they are from here on; this plan is disposed of last.
    /// </summary>
    /// <param name="device">Made by <see cref="Device.ForAnotherCaller"/> of the model's device.</param>
    internal Plan ForAnotherCaller(Device device) => new(Model, device, BatchSize, training: false, _loss.LabelSmoothing, this) { _masksVersion = Model.Parameters.MasksVersion };

    /// <summary>Tells operations of the masks as they are, as the first run would.</summary>
    internal void TakeMasks()
    {
        using SingleCaller.Call call = Enter();
        TakeChangedMasks();
    }

    public Model Model { get; }
    public int BatchSize { get; }
    public bool Training { get; }

    /// <summary>Batches that the mean of a training step is over as a rule.</summary>
    public int Lanes { get; init; } = 1;

    /// <summary>A network whose logits training steps learn too; null: none.</summary>
    public Teacher? Teacher
    {
        get;
        set
        {
            if (ReferenceEquals(field, value)) return;
            field = value;
            _training.Dispose();
            _denseTraining.Dispose();
            (_training, _denseTraining) = (NewTraining(), NewDenseTraining());
        }
    }

    /// <summary>Samples loaded now.</summary>
    public int Count { get; private set; }

    /// <summary>The batch that is loaded; a run may overwrite it.</summary>
    internal DeviceTensor Input => _input.WithBatch(Count);

    /// <summary>Bytes of activations and gradients.</summary>
    public long ArenaBytes => _arena.Bytes;

    /// <summary>Copies a batch of images and labels to the device.</summary>
    public void Load(Batch batch, Normalization normalization)
    {
        using SingleCaller.Call call = Enter();
        SetCount(batch.Count);
        CheckLabels(batch.Labels.AsSpan(0, Count));
        _device.UploadImages(batch.Pixels.AsSpan(0, Count * Model.Network.Input.Elements), normalization, _input.WithBatch(Count));
        _device.UploadLabels(batch.Labels.AsSpan(0, Count), _labels);
    }

    /// <summary>Makes a batch of a dataset's order on the device.</summary>
    /// <param name="first">Sample of the order.</param>
    public void Load(DeviceDataset data, int first, int count)
    {
        using SingleCaller.Call call = Enter();
        SetCount(count);
        data.Load(first, _input.WithBatch(count), _labels);
    }

    /// <summary>Copies ready inputs (N, C, H, W) and labels to the device; N is the number of labels.</summary>
    public void Load(ReadOnlySpan<float> nchw, ReadOnlySpan<int> labels)
    {
        using SingleCaller.Call call = Enter();
        SetCount(labels.Length);
        CheckLabels(labels);
        _device.Upload(nchw, _input.WithBatch(Count));
        _device.UploadLabels(labels, _labels);
    }

    /// <summary>Forward, loss and backward of the loaded batch: afterwards the model's gradients are those of the batch's mean loss.</summary>
    public void RunTraining() => RunTraining(dense: false);

    /// <inheritdoc cref="RunTraining()"/>
    /// <param name="dense">Gradients of pruned weights are computed too; without it what stands there means nothing.</param>
    /// <param name="meanOver">Samples that the mean is over, where the batch is some of them; null: the batch's.</param>
    /// <param name="afterBackward">Called with the number of each step, counted down, whose gradients are there while those before it are yet to come; not called where the device computes later.</param>
    public void RunTraining(bool dense, int? meanOver = null, Action<int>? afterBackward = null)
    {
        if (!Training) throw new InvalidOperationException("the plan was made for inference");
        _meanOver = meanOver ?? Count;
        _afterBackward = IsLossAtHand ? afterBackward : null;
        Run(dense ? _denseTraining : _training, isUsual: _meanOver == BatchSize * Lanes);
        _afterBackward = null;
    }

    /// <summary>The step in whose backward pass the parameter's gradients come to be; -1: none.</summary>
    internal int StepOf(int parameter) => Array.FindIndex(_steps, s => s.Trains.Contains(parameter));

    /// <summary>Forward and loss of the loaded batch.</summary>
    public void RunEvaluation() => Run(_evaluation);

    /// <summary>Waits and returns the sums over all batches run since the last read.</summary>
    public LossSums ReadLoss()
    {
        using SingleCaller.Call call = Enter();
        return _loss.ReadAndReset();
    }

    /// <summary>The sums so far, which go on; waits for the device unless <see cref="LossOperation.IsAtHand"/>.</summary>
    internal LossSums LossSoFar() => _loss.Read();

    /// <summary>Sums that the batches to come are added to.</summary>
    internal void StartLoss(in LossSums sums) => _loss.Set(sums);

    /// <inheritdoc cref="LossOperation.IsAtHand"/>
    internal bool IsLossAtHand => _loss.IsAtHand;

    /// <summary>Logits (N, classes) of the last run.</summary>
    public void ReadLogits(Span<float> logits)
    {
        using SingleCaller.Call call = Enter();
        _device.Download(_logits.WithBatch(Count), logits);
    }

    /// <exception cref="InvalidOperationException">Another thread is using it.</exception>
    public void Dispose()
    {
        using SingleCaller.Call call = _device.Caller.Enter();
        if (_disposed) return;
        _disposed = true;
        _training.Dispose();
        _denseTraining.Dispose();
        _evaluation.Dispose();
        foreach (PlanStep step in _steps) step.Dispose();
        _loss.Dispose();
        _labels.Dispose();
        _arena.Dispose();
    }

    /// <summary>Full batches, always the same calls, may be replayed from a recording.</summary>
    private void Run(RecordedWork recorded, bool isUsual = true)
    {
        using SingleCaller.Call call = Enter();
        TakeChangedMasks();
        if (Count == BatchSize && isUsual) recorded.Run();
        else recorded.RunDirectly();
    }

    private SingleCaller.Call Enter()
    {
        SingleCaller.Call call = _device.Caller.Enter();
        if (!_disposed) return call;
        call.Dispose();
        throw new ObjectDisposedException(nameof(Plan));
    }

    private void TakeChangedMasks()
    {
        if (_masksVersion == Model.Parameters.MasksVersion) return;
        foreach (PlanStep step in _steps) step.TakeMask(Model.Parameters);
        _masksVersion = Model.Parameters.MasksVersion;
        _training.Forget();
        _evaluation.Forget();
        _denseTraining.Dispose();
        _denseTraining = NewDenseTraining();
    }

    private RecordedWork NewTraining() => new(_device, () => IssueTraining(dense: false));

    /// <summary>Where masks move after each of its runs it is recorded in lanes alone, which run more than once with the same masks.</summary>
    private RecordedWork NewDenseTraining() => new(_device, () => IssueTraining(dense: true));

    private void IssueTraining(bool dense)
    {
        // First: the forward pass may overwrite the batch.
        SoftTargets? soft = Teacher?.Issue(Input);
        IssueForward();
        _loss.Run(_logits.WithBatch(Count), _labels, _dlogits.WithBatch(Count), _meanOver, soft);
        for (int i = _steps.Length - 1; i >= 0; i--)
        {
            _steps[i].Backward(Count, dense);
            _afterBackward?.Invoke(i);
        }
    }

    private void IssueEvaluation()
    {
        IssueForward();
        _loss.Run(_logits.WithBatch(Count), _labels, null);
    }

    /// <summary>Issues the forward pass of a batch that another plan has loaded.</summary>
    /// <returns>The logits.</returns>
    internal DeviceTensor IssueForward(DeviceTensor input)
    {
        SetCount(input.Batch);
        _device.Copy(input, accumulate: false, Input);
        IssueForward();
        return _logits.WithBatch(Count);
    }

    private void IssueForward()
    {
        foreach (PlanStep step in _steps) step.Forward(Count, Training);
    }

    /// <summary>Devices take labels as they come.</summary>
    internal void CheckLabels(ReadOnlySpan<int> labels)
    {
        int classes = Model.Network.Classes;
        foreach (int label in labels)
            if ((uint)label >= (uint)classes) throw new AsniException($"the data has a label of {label}, but {Model.Network.Name} has {classes} classes (0 to {classes - 1}).");
    }

    private void SetCount(int count)
    {
        if (count < 1 || count > BatchSize) throw new ArgumentOutOfRangeException(nameof(count), count, $"1 to {BatchSize} samples");
        Count = count;
    }
}
