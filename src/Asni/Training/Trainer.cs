using System.Diagnostics;
using Asni.Data;
using Asni.Devices;
using Asni.Distributed;
using Asni.Engine;
using Asni.Networks;
using Asni.Optimizers;
using Asni.Pruning;
using Asni.Training.Policies;

namespace Asni.Training;

/// <summary>
/// Trains and evaluates one model: an epoch at a time, for any method. Deterministic for a given seed and device configuration.
/// It knows masks only in that the device's update respects them. One caller at a time: a second one gets an <see cref="InvalidOperationException"/>.
/// </summary>
internal sealed class Trainer : IDisposable
{
    private static readonly TimeSpan ProgressInterval = TimeSpan.FromMilliseconds(200);

    private readonly Plan _training;
    private readonly Evaluator _evaluator;
    private readonly DatasetSplit _data;
    private readonly ITrainingObserver _observer;
    private readonly BatchFeed _feed;
    private readonly LaneTree? _lanes;
    private readonly LaneShare _share;
    private readonly RankSteps? _ranks;
    private readonly GradientExchange? _exchange;
    private EpochProgress _progress;

    /// <param name="batchSize">Samples of a step.</param>
    /// <param name="lanes">Equal parts of it that are computed one after another, each with batch-norm statistics of its own.</param>
    /// <param name="ranks">Share the lanes; null: one computes them all.</param>
    /// <exception cref="UsageException">Lanes cannot be shared so, or data do not fit the network.</exception>
    public Trainer(Model model, DatasetSplit data, int batchSize, Augmentation augmentation, float labelSmoothing, ITrainingObserver observer, int lanes = 1, RankSteps? ranks = null)
    {
        Evaluator.RequireFit(model, data.Train);
        Model = model;
        _data = data;
        _observer = observer;
        int batch = Math.Min(batchSize / lanes, data.Train.Count);
        BatchSize = batch * lanes;
        Communicator all = ranks?.Ranks ?? Communicator.Alone;
        _share = new LaneShare(lanes, all.Rank, all.Size);
        _share.Validate();
        if (lanes > 1) _lanes = new LaneTree(model.Parameters);
        _ranks = ranks;
        // What exchanges takes its memory first, so that a batch that does not fit beside it is told.
        if (ranks is not null) GradientExchange.Join(model.Device, all, ranks.Sum);
        try
        {
            _training = new Plan(model, batch, training: true, labelSmoothing) { Lanes = lanes };
            _evaluator = new Evaluator(model, data.Test, batch, all);
            _feed = new BatchFeed(_training, data.Train, augmentation, shuffle: true, _share);
            if (ranks is not null) _exchange = new GradientExchange(model, _training, all, _lanes, order: ranks.Sum);
        }
        catch (Exception e)
        {
            _feed?.Dispose();
            _training?.Dispose();
            _evaluator?.Dispose();
            if (e is DeviceMemoryException) throw TooLarge(model, batch, lanes, n => batchSize % n == 0 ? Math.Min(batchSize / n, data.Train.Count) : int.MaxValue);
            throw;
        }
    }

    public Model Model { get; }

    /// <summary>Where state is saved; null when a run is not to be resumed.</summary>
    public CheckpointKeeper? Checkpoints { get; init; }

    public int StepsPerEpoch => (_data.Train.Count + BatchSize - 1) / BatchSize;

    /// <summary>Samples of a step, of an epoch's last as many as are left.</summary>
    private int BatchSize { get; }

    /// <summary>One pass over the training set in the order of (seed, epoch). Throws OperationCanceledException between steps.</summary>
    /// <exception cref="DivergenceException">
    /// The loss became NaN or infinite: told before the step changes a weight where the loss is at hand, else at the end of the epoch.
    /// </exception>
    /// <param name="from">What was done of this epoch before.</param>
    public Metrics TrainEpoch(EpochPlan epoch, EpochProgress from = default, StepHooks hooks = default, CancellationToken cancellation = default)
    {
        using SingleCaller.Call call = Model.Device.Caller.Enter();
        _progress = from;
        // Sums go on where they were, so that their last digits do not depend on where the epoch was cut.
        _training.StartLoss(_ranks is null ? from.Sums : default);
        _ranks?.StartEpoch(from.Sums);
        var watch = Stopwatch.StartNew();
        TimeSpan told = TimeSpan.Zero;
        long images = 0;
        using IEnumerator<int> feed = _feed.Epoch(epoch.Seed, epoch.Epoch, from.Step * _share.Own).GetEnumerator();
        for (int step = from.Step; step < StepsPerEpoch; step++)
        {
            int samples = Math.Min(BatchSize, _data.Train.Count - step * BatchSize);
            StepNeeds needs = RunLanes(samples, feed, hooks, epoch, step, cancellation);
            hooks.AfterBackward?.Invoke(step + 1);
            long optimizerStep = (long)epoch.Epoch * StepsPerEpoch + step + 1 - epoch.Begin;
            if (!needs.ReplacesUpdate) Model.Parameters.Update(epoch.Optimizer.At(epoch.LearningRate, optimizerStep));
            images += samples;
            _progress = _progress with { Step = step + 1, Seconds = from.Seconds + watch.Elapsed.TotalSeconds };
            hooks.After?.Invoke(step + 1);
            if (watch.Elapsed - told < ProgressInterval) continue;
            told = watch.Elapsed;
            _observer.OnStepCompleted(new StepProgress(epoch.Phase, epoch.Epoch, epoch.Epochs, step + 1, StepsPerEpoch, images / told.TotalSeconds));
        }
        LossSums sums = Progress().Sums;
        RequireFinite(sums, epoch);
        _ranks?.RequireEqual(Model, $"epoch {epoch.Epoch + 1} of {epoch.Phase}");
        return Metrics.From(sums, from.Seconds + watch.Elapsed.TotalSeconds);
    }

    /// <summary>Forward and backward of a step: afterwards the model's gradients are those of its mean loss.</summary>
    private StepNeeds RunLanes(int samples, IEnumerator<int> feed, in StepHooks hooks, EpochPlan epoch, int step, CancellationToken cancellation)
    {
        int lanes = (samples + _training.BatchSize - 1) / _training.BatchSize, own = _share.CountOf(lanes);
        if (own > 0) Load(feed);
        cancellation.ThrowIfCancellationRequested();
        StepNeeds needs = hooks.Before?.Invoke(step + 1) ?? default;
        _lanes?.Begin();
        _exchange?.Begin(_share.RanksOf(lanes), needs.DenseGradient);
        for (int lane = 0; lane < own; lane++)
        {
            if (lane > 0) Load(feed);
            bool last = lane == own - 1;
            _training.RunTraining(needs.DenseGradient, samples, last ? _exchange?.DuringBackward : null);
            _ranks?.AddLane(_training.ReadLoss());
            if (_training.IsLossAtHand && _ranks is null) RequireFinite(_training.LossSoFar(), epoch, step);
            if (!last) _lanes?.Add(needs.DenseGradient);
            else if (_exchange is null) _lanes?.AddLast(needs.DenseGradient);
        }
        if (_ranks is not null)
        {
            _exchange!.Finish();
            _ranks.Exchange(_share, lanes);
            RequireFinite(_ranks.Sums, epoch, step);
        }
        _lanes?.End(lanes);
        return needs;
    }

    private static void Load(IEnumerator<int> feed)
    {
        if (!feed.MoveNext()) throw new UnreachableException("the feed has as many batches as the steps");
    }

    /// <summary>Gradients of other functions of the logits on the batches that it trains, with activations of their own; to be disposed of before it.</summary>
    /// <exception cref="DeviceMemoryException">The device lacks the memory.</exception>
    internal BatchGradient NewBatchGradient()
    {
        if (_lanes is not null) throw new InvalidOperationException("no more than one lane of a batch is loaded");
        try
        {
            return new BatchGradient(_training, _feed);
        }
        catch (DeviceMemoryException)
        {
            throw TooLarge(Model, _training.BatchSize, lanes: 1, _ => int.MaxValue);
        }
    }

    /// <summary>How far the epoch is that trains now or trained last. Waits for the device.</summary>
    internal EpochProgress Progress() => _progress = _progress with { Sums = _ranks?.Sums ?? _training.LossSoFar() };

    /// <summary>From now on training steps learn the logits of another network too; null: labels alone.</summary>
    /// <exception cref="DeviceMemoryException">The device lacks the memory for it.</exception>
    public void Learn(TrainedNetwork? from, Distillation how)
    {
        using SingleCaller.Call call = Model.Device.Caller.Enter();
        if (ReferenceEquals(_training.Teacher?.Network, from)) return;
        Teacher? before = _training.Teacher;
        _training.Teacher = null;
        before?.Dispose();
        if (from is null) return;
        try
        {
            _training.Teacher = new Teacher(from, Model.Device, _training.BatchSize, how);
        }
        catch (DeviceMemoryException e)
        {
            throw new DeviceMemoryException($"the network to learn from, {from.Network.Name}, and its activations for a batch of {_training.BatchSize} do not fit beside the one that is trained ({e.Message.TrimEnd('.')}); use a smaller batch or more lanes.");
        }
    }

    /// <inheritdoc cref="Recalibration"/>
    public void Recalibrate(ImageBatches images, ulong seed, CancellationToken cancellation) => Recalibration.Run(Model, _data.Train, images, seed, cancellation);

    /// <inheritdoc cref="Evaluator.Evaluate"/>
    public Metrics Evaluate(CancellationToken cancellation = default) => _evaluator.Evaluate(cancellation);

    /// <exception cref="InvalidOperationException">Another thread is using it.</exception>
    public void Dispose()
    {
        using SingleCaller.Call call = Model.Device.Caller.Enter();
        _exchange?.Dispose();
        _feed.Dispose();
        _training.Teacher?.Dispose();
        _training.Dispose();
        _evaluator.Dispose();
    }

    private static void RequireFinite(in LossSums sums, EpochPlan epoch, int? step = null)
    {
        if (double.IsFinite(sums.Loss)) return;
        string where = step is { } s ? FormattableString.Invariant($", step {s + 1}") : "";
        throw new DivergenceException(string.Create(System.Globalization.CultureInfo.InvariantCulture,
            $"the training loss became {sums.Loss} in epoch {epoch.Epoch + 1} of {epoch.Phase}{where}; lower the learning rate (now {epoch.LearningRate:g4})."));
    }

    /// <summary>Names the batch that would fit, by halves: with room beside the activations for what operations take themselves.</summary>
    /// <param name="laneOf">Samples of a lane where there are so many.</param>
    private static DeviceMemoryException TooLarge(Model model, int lane, int lanes, Func<int, int> laneOf)
    {
        long free = model.Device.FreeMemory ?? 0;
        int fits = lane;
        while (fits > 0 && Bytes(fits) > free * 3 / 4) fits /= 2;
        string what = lanes == 1 ? $"a batch of {lane}" : $"a lane of {lane}";
        string gib = FormattableString.Invariant($"{Bytes(lane) / (double)(1 << 30):0.0} GiB of activations, and {free / (double)(1 << 30):0.0} GiB are free");
        string smaller = fits == lane ? "use a smaller batch" : fits > 0 ? $"{(lanes == 1 ? "a batch" : "one")} of {fits} fits" : "not even one image fits";
        return new DeviceMemoryException($"{what} of {model.Network.Name} takes {gib} on {model.Device.Name}; {smaller}.")
        {
            BatchSize = lane * lanes,
            FittingBatchSize = fits == lane ? null : fits,
            FittingLanes = fits == lane ? null : Enumerable.Range(lanes, LaneTree.MaxLanes + 1 - lanes).Where(n => laneOf(n) <= fits).Cast<int?>().FirstOrDefault(),
        };

        long Bytes(int n) => new PlanBuilder(model, n, training: true).Bytes();
    }
}

/// <summary>What happens around a step. Each is called with the number of steps that are done in the epoch when the step has ended.</summary>
/// <param name="Before">Says what the step has to be. Null: a training step as usual.</param>
/// <param name="AfterBackward">Before the update.</param>
/// <param name="After">After the update.</param>
internal readonly record struct StepHooks(Func<int, StepNeeds>? Before = null, Action<int>? AfterBackward = null, Action<int>? After = null);

/// <summary>What one training epoch needs to know.</summary>
/// <param name="Seed">Of the data order and augmentation, the same for all epochs of a phase.</param>
internal sealed record EpochPlan(string Phase, int Epoch, int Epochs, double LearningRate, OptimizerSettings Optimizer, ulong Seed)
{
    /// <summary>Steps before the phase's first: its optimizer has state 0 there and counts from there.</summary>
    public long Begin { get; init; }
}
