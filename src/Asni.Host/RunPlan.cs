using Asni.Data;
using Asni.Host.Recipes;
using Asni.Methods;
using Asni.Networks;

namespace Asni.Host;

/// <summary>A run that is ready to start: every default resolved, everything checked that can be.</summary>
/// <param name="Start">What the run starts from; null for a fresh network.</param>
/// <param name="Notes">Choices made for the user, one line each.</param>
internal sealed record RunPlan(RunSettings Settings, Recipe Recipe, Network Network, DatasetSplit Data, TrainedNetwork? Start,
    IReadOnlyList<string> Notes)
{
    /// <summary>Of all phases, those that are trained; where a phase begins within an epoch, that one too.</summary>
    public long TrainedEpochs
    {
        get
        {
            int stepsPerEpoch = (Data.Train.Count + Recipe.BatchSize - 1) / Recipe.BatchSize;
            return Phases.Sum(p => p.Epochs - p.Begin.Steps(stepsPerEpoch) / stepsPerEpoch);
        }
    }

    public IEnumerable<PhasePlan> Phases => Recipe.Method.Phases(Recipe, Start is not null);
}
