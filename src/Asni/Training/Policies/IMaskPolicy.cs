using Asni.Pruning;

namespace Asni.Training.Policies;

/// <summary>What a method does to the masks while a phase trains. Null means: nothing at this point.</summary>
internal interface IMaskPolicy
{
    /// <summary>After the optimizer's update of a step.</summary>
    PruneOutcome? AfterStep(in StepPoint at);

    /// <summary>After an epoch's evaluation, but not after the last one: what it changes is what the next epoch trains.</summary>
    PruneOutcome? BetweenEpochs(in StepPoint at);
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
