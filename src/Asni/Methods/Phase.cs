using System.Diagnostics;
using Asni.Engine;
using Asni.Optimizers;
using Asni.Pruning;
using Asni.Tensors;
using Asni.Training;

namespace Asni.Methods;

/// <summary>
/// One phase of a method: E epochs of training and evaluation of whatever the model holds now, with something to do between them.
/// </summary>
internal sealed class Phase(string name, ulong stream, Recipe recipe, Trainer trainer, ITrainingObserver observer)
{
    /// <summary>Called after each step with the epoch and the number of steps done in it.</summary>
    public Func<int, int, PruneOutcome?>? AfterStep { get; init; }

    /// <summary>Called after each epoch's evaluation but not after the last one: what it changes is what the next epoch trains.</summary>
    public Func<int, PruneOutcome?>? BetweenEpochs { get; init; }

    public PhaseResult Run(int epochs, LearningRate learningRate, CancellationToken cancellation)
    {
        observer.PhaseStarted(name, epochs);
        ModelSnapshot initial = trainer.Model.Snapshot();
        ulong seed = SplitMix64.Fork(recipe.Seed, stream).NextUInt64();
        var watch = Stopwatch.StartNew();
        Metrics test = default;
        double? threshold = null;
        int done = 0;
        try
        {
            for (; done < epochs; done++)
            {
                int epoch = done;
                var started = watch.Elapsed;
                double rate = learningRate.At(epoch, epochs);
                Metrics train = trainer.TrainEpoch(new EpochPlan(name, epoch, epochs, rate, recipe.Optimizer, seed),
                    AfterStep is null ? null : step => threshold = AfterStep(epoch, step)?.Threshold ?? threshold, cancellation);
                test = trainer.Evaluate(cancellation);
                Model model = trainer.Model;
                observer.EpochDone(new EpochRecord(name, epoch, epochs, rate, train.Loss, test.Loss, test.Top1, test.Top5, model.Sparsity, model.Kept,
                    threshold, (watch.Elapsed - started).TotalSeconds, train.Samples / train.Seconds));
                if (epoch < epochs - 1) threshold = BetweenEpochs?.Invoke(epoch)?.Threshold;
            }
        }
        catch (OperationCanceledException)
        {
            // What was reached is returned, marked incomplete, and evaluated so that its numbers are its own.
            test = trainer.Evaluate(CancellationToken.None);
        }
        return new PhaseResult(name, test.Top1, test.Top5, test.Loss, trainer.Model.Sparsity, trainer.Model.Kept, watch.Elapsed.TotalSeconds,
            initial, trainer.Model.Snapshot())
        { Complete = done == epochs };
    }
}
