using System.Diagnostics;
using Asni.Engine;
using Asni.Networks;
using Asni.Optimizers;
using Asni.Pruning;
using Asni.Tensors;
using Asni.Training;
using Asni.Training.Policies;

namespace Asni.Methods;

/// <summary>
/// One phase of a method: E epochs of training and evaluation of whatever the model holds now, with something done to its masks in between.
/// </summary>
internal sealed class Phase(string name, ulong stream, Recipe recipe, Trainer trainer, ITrainingObserver observer)
{
    /// <summary>Of random numbers within the phase's.</summary>
    private const ulong RecalibrationStream = 1;

    private readonly CheckpointKeeper? _checkpoints = trainer.Checkpoints;

    public IMaskPolicy? Policy { get; init; }

    /// <summary>Steps of the schedule before the first that it trains.</summary>
    public long Begin { get; init; }

    public PhaseResult Run(int epochs, LearningRate learningRate, CancellationToken cancellation)
    {
        TrainedNetwork initial = trainer.Model.TakeSnapshot();
        if (_checkpoints?.Done(name) is { } before) return Restored(before, initial);
        observer.OnPhaseStarted(name, epochs);
        ulong seed = SplitMix64.Fork(recipe.Seed, stream).NextUInt64();
        var watch = Stopwatch.StartNew();
        Checkpoint? resume = _checkpoints?.TakeResume(name);
        resume?.Restore(trainer.Model);
        if (resume?.Policy is { } state) Policy?.Restore(state);
        CheckpointPosition? from = resume?.Position;
        Metrics test = from?.Test ?? default;
        double? threshold = from?.Threshold;
        int done = from?.Epoch ?? (int)(Begin / trainer.StepsPerEpoch);
        bool complete = false;
        EpochProgress progress = from?.Progress ?? new EpochProgress((int)(Begin % trainer.StepsPerEpoch), default, 0);
        try
        {
            for (; done < epochs; done++)
            {
                int epoch = done;
                var started = watch.Elapsed;
                double rate = learningRate.GetRate(epoch, epochs);
                var plan = new EpochPlan(name, epoch, epochs, rate, recipe.Optimizer, seed) { Begin = Begin };
                Metrics train = trainer.TrainEpoch(plan, progress, HooksOf(epoch), cancellation);
                PruneOutcome? finish = epoch == epochs - 1 ? Policy?.Finish(At(epoch, trainer.StepsPerEpoch)) : null;
                threshold = finish?.Threshold ?? threshold;
                // What is delivered is not to be finished twice: from there on to the checkpoint nothing stops the phase.
                test = finish is null ? Evaluate(At(epoch, trainer.StepsPerEpoch), epoch == epochs - 1, cancellation) : EvaluateFinal(CancellationToken.None);
                // The epoch's last step may have made weights NaN that no loss has seen yet.
                if (!double.IsFinite(test.Loss)) trainer.Model.TakeSnapshot().RequireFinite(name);
                Model model = trainer.Model;
                long kept = finish is null ? Policy?.Counted ?? model.Kept : model.Kept;
                var record = new EpochRecord(name, epoch, epochs, rate, train.Loss, test.Loss, test.Top1, test.Top5, 1 - (double)kept / model.Network.WeightCount, kept,
                    threshold, progress.Seconds + (watch.Elapsed - started).TotalSeconds, train.Samples / train.Seconds)
                {
                    EverLive = Policy?.EverLive,
                };
                observer.OnEpochCompleted(record);
                _checkpoints?.OnEpochCompleted(record);
                if (epoch < epochs - 1) threshold = Policy?.BetweenEpochs(At(epoch, trainer.StepsPerEpoch))?.Threshold;
                progress = default;
                if (_checkpoints is { IsDueAfterEpoch: true } || epoch == epochs - 1) Save(epoch + 1, progress);
            }
            if (epochs == 0) test = EvaluateFinal(cancellation);
            complete = true;
        }
        catch (OperationCanceledException)
        {
            Save(done, trainer.Progress());
            // What was reached is returned, marked incomplete, and evaluated so that its numbers are its own.
            if (done < epochs) Policy?.Finish(At(done, trainer.Progress().Step));
            test = trainer.Evaluate(CancellationToken.None);
        }
        return new PhaseResult(name, test.Top1, test.Top5, test.Loss, trainer.Model.Sparsity, trainer.Model.Kept, SecondsSoFar(),
            initial, trainer.Model.TakeSnapshot().RequireFinite(name))
        { Complete = complete };

        StepHooks HooksOf(int epoch) => Policy is null && _checkpoints is null ? default : new(
            step => Policy?.BeforeStep(At(epoch, step)) ?? default,
            step => Policy?.AfterBackward(At(epoch, step)),
            step =>
            {
                threshold = Policy?.AfterStep(At(epoch, step))?.Threshold ?? threshold;
                if (_checkpoints is { IsDue: true }) Save(epoch, trainer.Progress());
            });

        StepPoint At(int epoch, int step) => new(epoch, step, trainer.StepsPerEpoch, epochs);

        double SecondsSoFar() => (from?.Seconds ?? 0) + watch.Elapsed.TotalSeconds;

        void Save(int epoch, EpochProgress reached) => _checkpoints?.Save(trainer.Model, recipe.Optimizer, Policy?.Save(), name,
            position => position with { Epoch = epoch, Progress = reached, Threshold = threshold, Test = test, Seconds = SecondsSoFar() });
    }

    /// <param name="last">Of the phase.</param>
    private Metrics Evaluate(StepPoint at, bool last, CancellationToken cancellation)
    {
        Policy?.BeforeEvaluation(at);
        try
        {
            return last ? EvaluateFinal(cancellation) : trainer.Evaluate(cancellation);
        }
        finally
        {
            Policy?.AfterEvaluation();
        }
    }

    /// <summary>Of what is delivered.</summary>
    private Metrics EvaluateFinal(CancellationToken cancellation)
    {
        if (recipe.Recalibrate is { } images) trainer.Recalibrate(images, SplitMix64.Fork(recipe.Seed, stream, RecalibrationStream).NextUInt64(), cancellation);
        return trainer.Evaluate(cancellation);
    }

    private PhaseResult Restored(PhaseNumbers p, TrainedNetwork initial) =>
        new(name, p.Top1, p.Top5, p.TestLoss, p.Sparsity, p.Kept, p.Seconds, initial, _checkpoints!.TakeDelivered(p))
        {
            Restored = true,
            HasOwnInitial = p.Initial == initial.ComputeSha256(),
        };
}
