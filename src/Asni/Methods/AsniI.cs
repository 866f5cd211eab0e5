using Asni.Engine;
using Asni.Pruning;
using Asni.Training;

namespace Asni.Methods;

/// <summary>
/// ASNI-I (Damadi, Nouri, Pirsiavash 2023, Algorithm 1): one round of training in which, after each epoch e but the last, the network is
/// pruned globally by magnitude to the sparsity S(e) of a sigmoid. The delivered network was trained under its final mask.
/// </summary>
internal static class AsniI
{
    public const string Name = "asni1";

    public static PhaseResult Run(Recipe recipe, Trainer trainer, ITrainingObserver observer, CancellationToken cancellation)
    {
        SparsitySchedule schedule = recipe.Schedule;
        var pruner = new MagnitudePruner(trainer.Model, recipe.Pruning);
        int steps = trainer.StepsPerEpoch;
        int? every = recipe.Pruning.EverySteps;
        long lastPruning = (recipe.Epochs - 1L) * steps;

        PruneOutcome? AfterStep(int epoch, int step)
        {
            long done = (long)epoch * steps + step;
            // Every n steps the schedule is read between epochs: at the end of epoch e it says S(e), as when pruning by epochs.
            return done % every != 0 || done > lastPruning ? null : pruner.PruneTo(schedule.At(Math.Max(0, (double)done / steps - 1)), observer.Note);
        }

        var phase = new Phase(Name, stream: 1, recipe, trainer, observer)
        {
            AfterStep = every is null ? null : AfterStep,
            BetweenEpochs = every is null ? epoch => pruner.PruneTo(schedule.At(epoch), observer.Note) : null,
        };
        return phase.Run(recipe.Epochs, recipe.LearningRate, cancellation);
    }
}
