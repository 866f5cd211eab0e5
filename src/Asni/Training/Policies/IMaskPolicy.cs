using System.Collections.Immutable;
using Asni.Networks;
using Asni.Pruning;
using Asni.Tensors;

namespace Asni.Training.Policies;

/// <summary>
/// What a method does to masks, gradients and values while a phase trains. Null means: no mask changed at this point. The order inside a step: <see cref="BeforeStep"/>; forward and
/// backward pass, with a dense gradient where the policy needs it; <see cref="AfterBackward"/>; the optimizer's update, unless the policy replaces it; <see cref="AfterStep"/>;
/// a checkpoint when one is due.
/// </summary>
internal interface IMaskPolicy
{
    /// <summary>What the next step has to be.</summary>
    /// <param name="at">Where it will have ended, as <see cref="AfterStep"/> is told then.</param>
    StepNeeds BeforeStep(in StepPoint at) => default;

    /// <summary>Before the optimizer's update of a step: gradients are those of the step's batch.</summary>
    void AfterBackward(in StepPoint at) { }

    /// <summary>After the optimizer's update of a step, or in its place.</summary>
    PruneOutcome? AfterStep(in StepPoint at);

    /// <summary>After an epoch's evaluation, but not after the last one: what it changes is what the next epoch trains.</summary>
    PruneOutcome? BetweenEpochs(in StepPoint at);

    /// <summary>The network is evaluated as it stands after this.</summary>
    void BeforeEvaluation(in StepPoint at) { }

    /// <summary>Puts back what <see cref="BeforeEvaluation"/> changed.</summary>
    void AfterEvaluation() { }

    /// <summary>The phase's last step is done: what the model holds becomes what the phase delivers, and is evaluated.</summary>
    /// <returns>What was pruned, if anything.</returns>
    PruneOutcome? Finish(in StepPoint at) => null;

    /// <summary>Weights that counted in the last evaluation; null where that is all live ones.</summary>
    long? Counted => null;

    /// <summary>What the policy knows that does not follow from seed and place, for a checkpoint; null: nothing.</summary>
    PolicyState? Save() => null;

    /// <summary>Goes on from what <see cref="Save"/> gave.</summary>
    void Restore(PolicyState state) { }

    /// <summary>Share of the weights that have been live at some time; null where nobody counts them.</summary>
    double? EverLive => null;
}

/// <param name="DenseGradient">Gradients of pruned weights are computed too.</param>
/// <param name="ReplacesUpdate">The optimizer makes no update: what the policy does after the step takes its place.</param>
internal readonly record struct StepNeeds(bool DenseGradient, bool ReplacesUpdate);

/// <summary>A policy's own state.</summary>
/// <param name="Ever">Weights that have been live at some time, by parameter index; null where a parameter has none.</param>
/// <param name="Tensors">Numbers by name, in PyTorch's element order.</param>
internal sealed record PolicyState(ImmutableArray<Mask?> Ever, ImmutableSortedDictionary<string, float[]> Tensors)
{
    /// <summary>Numbers alone.</summary>
    public static PolicyState Of(Network network, ImmutableSortedDictionary<string, float[]> tensors) => new([.. new Mask?[network.Parameters.Length]], tensors);

    /// <summary>Masks of earlier times, the oldest first, each by parameter index.</summary>
    public ImmutableArray<ImmutableArray<Mask?>> Earlier { get; init; } = [];

    /// <summary>Both. The masks of one of them.</summary>
    public PolicyState Join(PolicyState other) => (Ever.Any(m => m is not null) || Earlier.Length > 0 ? this : other) with { Tensors = Tensors.AddRange(other.Tensors) };

    /// <exception cref="AsniException">There are no such numbers, or not so many.</exception>
    public float[] Tensor(string name, long elements) =>
        Tensors.TryGetValue(name, out float[]? values) && values.Length == elements ? values : throw new AsniException($"the checkpoint has no {name} of {elements} numbers.");
}

/// <summary>A time within a phase.</summary>
/// <param name="Epoch">0-based.</param>
/// <param name="Step">Steps done in this epoch.</param>
/// <param name="StepsPerEpoch">Steps of each epoch.</param>
/// <param name="Epochs">Of the phase.</param>
internal readonly record struct StepPoint(int Epoch, int Step, int StepsPerEpoch, int Epochs)
{
    /// <summary>Steps done in the phase.</summary>
    public long Done => (long)Epoch * StepsPerEpoch + Step;
}
