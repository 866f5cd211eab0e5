using System.Collections.Immutable;
using Asni.Data;
using Asni.Devices;
using Asni.Engine;
using Asni.Networks;
using Asni.Training;

namespace Asni.Methods;

/// <summary>Runs the method of a recipe: the one entry point for a host application.</summary>
public static class MethodRunner
{
    public const string RetrainPhase = "retrain";

    /// <param name="observer">Hears of epochs and steps; null: nobody does.</param>
    /// <param name="cancellation">Leaves after the step in progress; what was reached is returned with Complete = false.</param>
    /// <param name="phaseDone">Told of each phase as it ends, so that it can be written down before the next one starts.</param>
    /// <param name="start">The weights to start from; null for <see cref="InitialWeights"/>.</param>
    /// <param name="checkpoints">Saves the run's state and, when it found a checkpoint, goes on from there; null: neither.</param>
    /// <exception cref="DivergenceException">The loss or a weight became NaN or infinite.</exception>
    /// <exception cref="AsniException">The data does not fit the network, ...</exception>
    /// <exception cref="UsageException">The recipe makes no sense, or asks to prune a network that is pruned already.</exception>
    public static RunResult Run(Recipe recipe, Network network, DatasetSplit data, Device device, ITrainingObserver? observer = null,
        Action<PhaseResult>? phaseDone = null, TrainedNetwork? start = null, CheckpointKeeper? checkpoints = null, CancellationToken cancellation = default)
    {
        observer ??= new Silence();
        recipe.Validate();
        CheckStart(recipe, start);
        if (recipe.Method == MethodKind.ISpaSP) return TakeUnitsOut(recipe, network, data, device, observer, phaseDone, start, checkpoints, cancellation);
        using var model = new Model(network, device);
        using var trainer = new Trainer(model, data, recipe.BatchSize, recipe.Augmentation, (float)recipe.LabelSmoothing, observer) { Checkpoints = checkpoints };
        model.Load(start ?? InitialWeights(network, recipe.Seed));
        var phases = ImmutableArray.CreateBuilder<PhaseResult>();
        foreach (PhaseResult phase in Phases(recipe, trainer, observer, cancellation))
        {
            phases.Add(phase);
            phaseDone?.Invoke(phase);
            if (!phase.Complete) break;
            checkpoints?.PhaseDone(new PhaseNumbers(phase.Phase, phase.Top1, phase.Top5, phase.TestLoss, phase.Sparsity, phase.Kept, phase.Seconds)
            {
                Initial = phase.Initial.Sha256(),
                Model = phase.Model.Sha256(),
            });
        }
        return new RunResult(phases.ToImmutable());
    }

    private static RunResult TakeUnitsOut(Recipe recipe, Network network, DatasetSplit data, Device device, ITrainingObserver observer,
        Action<PhaseResult>? phaseDone, TrainedNetwork? start, CheckpointKeeper? checkpoints, CancellationToken cancellation)
    {
        var dense = start is null
            ? Run(recipe with { Method = MethodKind.Dense }, network, data, device, observer, phaseDone, null, checkpoints, cancellation)
            : new RunResult([]);
        if (dense.Phases.Any(p => !p.Complete)) return dense;
        PhaseResult pruned = new UnitPruning(recipe, data, device, observer, cancellation).Run(start ?? dense.Phases[0].Model);
        phaseDone?.Invoke(pruned);
        return new RunResult(dense.Phases.Add(pruned));
    }

    /// <summary>The dense network that a run with this seed starts from.</summary>
    public static TrainedNetwork InitialWeights(Network network, ulong seed)
    {
        var values = new float[network.Parameters.Length][];
        Parallel.ForEach(network.Parameters, p =>
        {
            values[p.Index] = new float[p.Elements];
            Initialization.Fill(p, seed, values[p.Index]);
        });
        return new TrainedNetwork(network, [.. values], [.. new Tensors.Mask?[values.Length]]);
    }

    private sealed class Silence : ITrainingObserver;

    private static void CheckStart(Recipe recipe, TrainedNetwork? start)
    {
        if (recipe.Method == MethodKind.Retrain && start is null) throw new UsageException("the method retrain needs a network to start from: --init FILE.");
        if (recipe.Prunes && start?.Masks.Any(m => m is not null && m.Live < m.Length) == true)
            throw new UsageException("the network to start from is pruned already; --method retrain trains it under its mask.");
    }

    private static IEnumerable<PhaseResult> Phases(Recipe recipe, Trainer trainer, ITrainingObserver observer, CancellationToken cancellation)
    {
        if (recipe.Method == MethodKind.Dense)
        {
            yield return new Phase("dense", stream: 0, recipe, trainer, observer).Run(recipe.Epochs, recipe.LearningRate, cancellation);
            yield break;
        }
        if (recipe.Method == MethodKind.Retrain)
        {
            yield return AsniII.Retrain(RetrainPhase, recipe, trainer, observer, cancellation);
            yield break;
        }
        PhaseResult sparse = AsniI.Run(recipe, trainer, observer, cancellation);
        yield return sparse;
        if (recipe.Method == MethodKind.Asni1) yield break;

        PhaseResult amenable = AsniII.Run(recipe, sparse.Model, trainer, observer, cancellation);
        yield return amenable;
        PhaseResult Control(string name, ulong stream, TrainedNetwork start) =>
            Controls.Run(name, stream, start, recipe, trainer, observer, cancellation);
        if (recipe.Controls.HasFlag(ControlRuns.Ticket))
            yield return Control(Controls.Ticket, 5, Controls.FromTicket(sparse.Initial, sparse.Model));
        if (recipe.Controls.HasFlag(ControlRuns.Reinit))
            yield return Control(Controls.Reinit, 6, Controls.FromReinit(recipe, sparse.Model));
        if (recipe.Controls.HasFlag(ControlRuns.Shuffle))
            yield return Control(Controls.Shuffle, 7, Controls.FromShuffle(recipe, amenable.Initial));
    }
}
