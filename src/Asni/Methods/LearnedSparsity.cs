using System.Collections.Immutable;
using Asni.Networks;
using Asni.Pruning;
using Asni.Settings;
using Asni.Training.Policies;

namespace Asni.Methods;

/// <summary>How many weights a method keeps that learns which ones.</summary>
public enum FinishKind
{
    /// <summary>Exactly K, those that it is surest of or the largest.</summary>
    Exact,
    /// <summary>As many as it has learned to keep.</summary>
    Learned,
}

/// <summary>What a method that learns its masks delivers in the end.</summary>
public sealed record LearnedSparsity
{
    public FinishKind Finish { get; init; }

    /// <summary>Of an exact finish.</summary>
    public double Sparsity { get; init; } = 0.9;

    internal static ImmutableArray<Setting<LearnedSparsity>> Settings { get; } =
    [
        PruningOptions.SparsitySetting<LearnedSparsity>(s => s.Sparsity, (s, v) => s with { Sparsity = v }),
        SettingFactory.Choice<LearnedSparsity, FinishKind>("finish", "weights kept: exact (as many as the sparsity says) or learned (as many as training has come to)", s => s.Finish, (s, v) => s with { Finish = v }),
    ];

    /// <summary>K of an exact finish; null where it is learned.</summary>
    internal long? Kept(Network network) => Finish == FinishKind.Exact ? Quota.At(Sparsity, network.WeightCount) : null;

    internal double? Final => Finish == FinishKind.Exact ? Sparsity : null;

    internal string? Ignores(string setting) => setting == "sparsity" && Finish == FinishKind.Learned ? "the sparsity is learned" : null;
}

/// <summary>A training that learns a mask, then one under it: what the methods that do so have in common.</summary>
internal static class MaskLearning
{
    public static IEnumerable<PhasePlan> Phases(string name, Recipe recipe, Retraining retraining) => [new(name, recipe.Epochs, recipe.LearningRate), retraining.Phase(name + "-retrain", recipe)];

    public static IEnumerable<PhaseResult> Run(MethodRun run, IEnumerable<PhasePlan> phases, IMaskPolicy policy)
    {
        PhaseResult learned = run.Train(phases.First(), policy);
        yield return learned;
        // Optimizer state begins anew.
        run.Model.Load(learned.Model);
        yield return run.Train(phases.Last());
    }
}
