using System.Collections.Immutable;
using Asni.Data;
using Asni.Devices;
using Asni.Distributed;
using Asni.Networks;
using Asni.Training;

namespace Asni.Methods;

/// <summary>Runs the method of a recipe: the one entry point for a host application.</summary>
public static class MethodRunner
{
    /// <param name="observer">Hears of epochs and steps; null: nobody does.</param>
    /// <param name="cancellationToken">Leaves after the step or the batch in progress; what was reached is returned with Complete = false.</param>
    /// <param name="phaseCompleted">Told of each phase as it ends, so that it can be written down before the next one starts.</param>
    /// <param name="start">The weights to start from; null for <see cref="CreateInitialWeights"/>.</param>
    /// <param name="checkpoints">Saves the run's state and, when it found a checkpoint, goes on from there; null: neither.</param>
    /// <exception cref="DivergenceException">The loss or a weight became NaN or infinite.</exception>
    /// <exception cref="AsniException">The data does not fit the network, ...</exception>
    /// <exception cref="UsageException">The recipe makes no sense, or asks to prune a network that is pruned already.</exception>
    public static RunResult Run(Recipe recipe, Network network, DatasetSplit data, Device device, ITrainingObserver? observer = null,
        Action<PhaseResult>? phaseCompleted = null, TrainedNetwork? start = null, CheckpointKeeper? checkpoints = null, CancellationToken cancellationToken = default) =>
        Run(recipe, network, data, device, Communicator.Alone, observer, phaseCompleted, start, checkpoints, cancellationToken);

    /// <inheritdoc cref="Run(Recipe, Network, DatasetSplit, Device, ITrainingObserver, Action{PhaseResult}, TrainedNetwork, CheckpointKeeper, CancellationToken)"/>
    /// <param name="ranks">Each runs this, with the same recipe and data, and comes to the same result; cancelled on one, all end after the same step.</param>
    internal static RunResult Run(Recipe recipe, Network network, DatasetSplit data, Device device, Communicator ranks, ITrainingObserver? observer = null,
        Action<PhaseResult>? phaseCompleted = null, TrainedNetwork? start = null, CheckpointKeeper? checkpoints = null, CancellationToken cancellationToken = default)
    {
        observer ??= new Silence();
        recipe.Validate();
        recipe.Method.Validate(network);
        if (recipe.Recalibrate is not null && !network.Nodes.OfType<BatchNormNode>().Any())
            throw new UsageException($"recalibrate is for the statistics of batch-norm, and {network.Name} has none.");
        recipe.ValidateStart(start is not null, start?.IsPruned == true);
        using var stop = new CancellationTokenSource();
        CancellationToken cancellation = ranks.Size == 1 ? cancellationToken : stop.Token;
        using var run = new MethodRun(recipe, network, data, device, observer)
        {
            Given = start,
            Checkpoints = checkpoints,
            Cancellation = cancellation,
            Ranks = ranks.Size == 1 ? null : new RankSteps(ranks, stop, cancellationToken) { Sum = recipe.Reduce },
        };
        var phases = ImmutableArray.CreateBuilder<PhaseResult>();
        bool complete = false;
        try
        {
            complete = RunPhases(run, phases.Add, phaseCompleted);
        }
        catch (OperationCanceledException) when (cancellation.IsCancellationRequested)
        {
            // Between two phases: there is nothing of the next one to keep.
        }
        return new RunResult(phases.ToImmutable()) { Complete = complete };
    }

    /// <returns>Whether all came to their end.</returns>
    private static bool RunPhases(MethodRun run, Action<PhaseResult> add, Action<PhaseResult>? completed)
    {
        foreach (PhaseResult phase in run.Recipe.Method.Run(run))
        {
            add(phase);
            completed?.Invoke(phase);
            if (!phase.Complete) return false;
            run.Checkpoints?.PhaseDone(new PhaseNumbers(phase.Phase, phase.Top1, phase.Top5, phase.TestLoss, phase.Sparsity, phase.Kept, phase.Seconds)
            {
                Initial = phase.Initial.ComputeSha256(),
                Model = phase.Model.ComputeSha256(),
            });
        }
        return true;
    }

    /// <summary>The dense network that a run with this seed starts from.</summary>
    public static TrainedNetwork CreateInitialWeights(Network network, ulong seed)
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
}
