using Asni.Devices;
using Asni.Engine;
using Asni.Networks;
using Asni.Pruning;
using Asni.Tensors;
using Asni.Training;
using Asni.Training.Policies;

namespace Asni.Methods;

/// <summary>The cuts of a network by a score that is made of gradients where its weights are then.</summary>
/// <param name="score">Made of the gradients of small batches of training images, batch-norm in evaluation mode.</param>
/// <param name="compensate">Called after each cut.</param>
internal sealed class CurvatureCuts<TScore>(CurvaturePruning settings, MethodRun run, Model model, Func<IReadOnlyList<IGradient>, TScore> score, Action<TScore, Model> compensate) where TScore : class, IScore
{
    private const ulong Purpose = 16;

    private readonly Current _score = new();
    private Pruner? _pruner;

    /// <summary>Cuts one after the other, all by gradients of the same images. The optimizer's state is lost.</summary>
    public PruneOutcome Prune(IEnumerable<double> sparsities, ulong seed, CancellationToken cancellation)
    {
        _pruner ??= new Pruner(model, _score, settings.Options.NewAllocation());
        var images = ScoringImages.DrawRepeatedly(run.Data.Train, checked(settings.Gradients * settings.GradientImages), seed);
        using var gradient = new LossGradient(model, images, settings.GradientImages, meanOver: settings.GradientImages) { Cancellation = cancellation };
        TScore worth = score(gradient.Batches);
        _score.Value = worth;
        PruneOutcome outcome = default;
        foreach (double sparsity in sparsities)
        {
            outcome = _pruner.PruneTo(sparsity, run.Observer.OnNote);
            compensate(worth, model);
        }
        return outcome;
    }

    /// <summary>After a training step, by images of its own: the optimizer goes on as it was. It is not left half done, so that a checkpoint of the step holds the cut.</summary>
    public PruneOutcome PruneWithin(StepPoint at, double sparsity)
    {
        if (Quota.At(sparsity, model.Network.WeightCount) >= model.Kept) return new PruneOutcome(null, model.Kept);
        SlotState[] state = [.. run.Recipe.Optimizer.StateSlots.Select(slot => new SlotState(model, slot, $"{slot}", model.Network.Trained))];
        PolicyState[] before = [.. state.Select(s => s.Save())];
        PruneOutcome outcome = Prune([sparsity], SplitMix64.Fork(run.Recipe.Seed, Purpose, (ulong)at.Done).NextUInt64(), CancellationToken.None);
        foreach ((SlotState slot, PolicyState was) in state.Zip(before)) slot.Restore(was);
        // Clears that of the pruned elements.
        foreach (Parameter p in model.Network.Weights) model.Parameters.SetMask(p.Index, model.Parameters.GetMask(p.Index));
        return outcome;
    }

    /// <summary>The score of the cut that is made, under one pruner: it tells of a sparse layer once.</summary>
    private sealed class Current : IScore
    {
        public TScore? Value { get; set; }

        public Ranking Write(Model model, IEnumerable<Parameter> parameters) => Value!.Write(model, parameters);
    }
}
