using System.Diagnostics;
using Asni.Data;
using Asni.Devices;
using Asni.Engine;
using Asni.Optimizers;
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
    private EpochProgress _progress;

    /// <param name="batchSize">Samples of a step.</param>
    /// <param name="lanes">Equal parts of it that are computed one after another, each with batch-norm statistics of its own.</param>
    public Trainer(Model model, DatasetSplit data, int batchSize, Augmentation augmentation, float labelSmoothing, ITrainingObserver observer, int lanes = 1)
    {
        Evaluator.RequireFit(model, data.Train);
        Model = model;
        _data = data;
        _observer = observer;
        int batch = Math.Min(batchSize / lanes, data.Train.Count);
        BatchSize = batch * lanes;
        if (lanes > 1) _lanes = new LaneTree(model.Parameters);
        try
        {
            _training = new Plan(model, batch, training: true, labelSmoothing) { Lanes = lanes };
            _evaluator = new Evaluator(model, data.Test, batch);
        }
        catch (Exception e)
        {
            _training?.Dispose();
            if (e is DeviceMemoryException) throw TooLarge(model, batch, lanes);
            throw;
        }
        _feed = new BatchFeed(_training, data.Train, augmentation, shuffle: true);
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
        _training.StartLoss(from.Sums);
        var watch = Stopwatch.StartNew();
        TimeSpan told = TimeSpan.Zero;
        int step = from.Step, images = 0, loaded = 0;
        StepNeeds needs = default;
        foreach (int count in _feed.Epoch(epoch.Seed, epoch.Epoch, step * _training.Lanes))
        {
            int samples = Math.Min(BatchSize, _data.Train.Count - step * BatchSize);
            if (loaded == 0)
            {
                cancellation.ThrowIfCancellationRequested();
                needs = hooks.Before?.Invoke(step + 1) ?? default;
                _lanes?.Begin();
            }
            loaded += count;
            RunLane(samples, last: loaded == samples, needs.DenseGradient, epoch, step);
            if (loaded < samples) continue;
            hooks.AfterBackward?.Invoke(step + 1);
            long optimizerStep = (long)epoch.Epoch * StepsPerEpoch + step + 1 - epoch.Begin;
            if (!needs.ReplacesUpdate) Model.Parameters.Update(epoch.Optimizer.At(epoch.LearningRate, optimizerStep));
            step++;
            images += samples;
            loaded = 0;
            _progress = _progress with { Step = step, Seconds = from.Seconds + watch.Elapsed.TotalSeconds };
            hooks.After?.Invoke(step);
            if (watch.Elapsed - told < ProgressInterval) continue;
            told = watch.Elapsed;
            _observer.OnStepCompleted(new StepProgress(epoch.Phase, epoch.Epoch, epoch.Epochs, step, StepsPerEpoch, images / told.TotalSeconds));
        }
        LossSums sums = Progress().Sums;
        RequireFinite(sums, epoch);
        return Metrics.From(sums, from.Seconds + watch.Elapsed.TotalSeconds);
    }

    /// <summary>Forward and backward of the part of a step that is loaded.</summary>
    /// <param name="samples">Of the step.</param>
    private void RunLane(int samples, bool last, bool dense, EpochPlan epoch, int step)
    {
        _training.RunTraining(dense, samples);
        if (_training.IsLossAtHand) RequireFinite(_training.LossSoFar(), epoch, step);
        _lanes?.Add(last, dense);
    }

    /// <summary>Gradients of other functions of the logits on the batches that it trains, with activations of their own; to be disposed of before it.</summary>
    /// <exception cref="DeviceMemoryException">The device lacks the memory.</exception>
    /// <exception cref="UsageException">Batches have lanes, of which no more than one is loaded.</exception>
    internal BatchGradient NewBatchGradient()
    {
        if (_lanes is not null) throw new UsageException("a gradient of the logits is taken of whole batches: it needs lanes 1.");
        try
        {
            return new BatchGradient(_training, _feed);
        }
        catch (DeviceMemoryException)
        {
            throw TooLarge(Model, _training.BatchSize, _training.Lanes);
        }
    }

    /// <summary>How far the epoch is that trains now or trained last. Waits for the device.</summary>
    internal EpochProgress Progress() => _progress = _progress with { Sums = _training.LossSoFar() };

    /// <inheritdoc cref="Evaluator.Evaluate"/>
    public Metrics Evaluate(CancellationToken cancellation = default) => _evaluator.Evaluate(cancellation);

    /// <exception cref="InvalidOperationException">Another thread is using it.</exception>
    public void Dispose()
    {
        using SingleCaller.Call call = Model.Device.Caller.Enter();
        _feed.Dispose();
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
    private static DeviceMemoryException TooLarge(Model model, int lane, int lanes)
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
            FittingBatchSize = fits == lane ? null : fits * lanes,
            FittingLanes = fits == lane ? null : Enumerable.Range(lanes, LaneTree.MaxLanes + 1 - lanes).Where(n => lane * lanes % n == 0 && lane * lanes / n <= fits).Cast<int?>().FirstOrDefault(),
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
