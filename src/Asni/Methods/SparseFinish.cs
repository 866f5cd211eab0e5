using System.Collections.Immutable;
using Asni.Networks;
using Asni.Pruning;
using Asni.Settings;
using Asni.Training.Policies;

namespace Asni.Methods;

/// <summary>How many weights stay after a training that finds out which.</summary>
public enum FinishKind
{
    /// <summary>As many as the sparsity says: those that training is surest of, or the largest.</summary>
    Exact,
    /// <summary>As many as training has come to.</summary>
    Learned,
}

/// <summary>Training that finds out which weights to keep, then one cut over all layers and training of what stays: what the methods that do so have in common.</summary>
public sealed record SparseFinish
{
    /// <summary>The first phase.</summary>
    private const string LearningPhase = "learned";

    /// <summary>Of an exact finish.</summary>
    public double Sparsity { get; init; } = 0.9;

    public FinishKind Kind { get; init; }

    /// <summary>Of the training after the cut.</summary>
    public Retraining Retraining { get; init; } = new();

    private static readonly Setting<SparseFinish> s_sparsity = PruningOptions.SparsitySetting<SparseFinish>(f => f.Sparsity, (f, v) => f with { Sparsity = v });

    /// <summary>How many weights stay.</summary>
    internal static ImmutableArray<Setting<SparseFinish>> CutSettings { get; } =
    [
        s_sparsity with { Needs = [new("finish", "exact", f => f.Kind == FinishKind.Exact)] },
        SettingFactory.Choice<SparseFinish, FinishKind>("finish", "weights that stay: as many as the sparsity says (exact), or as many as training has come to (learned)", f => f.Kind, (f, v) => f with { Kind = v }),
    ];

    private static readonly ImmutableArray<Setting<SparseFinish>> s_retraining = Retraining.Settings.In<SparseFinish, Retraining>(f => f.Retraining, (f, v) => f with { Retraining = v });

    internal static ImmutableArray<Setting<SparseFinish>> Settings { get; } = [.. CutSettings, .. s_retraining];

    /// <summary>Those of a method that learns no number of weights.</summary>
    internal static ImmutableArray<Setting<SparseFinish>> ExactSettings { get; } = [s_sparsity, .. s_retraining];

    /// <summary>Null: not known before.</summary>
    internal double? FinalSparsity => Kind == FinishKind.Exact ? Sparsity : null;

    /// <summary>K of an exact finish; null where it is learned.</summary>
    internal long? Kept(Network network) => Kind == FinishKind.Exact ? Quota.At(Sparsity, network.WeightCount) : null;

    /// <summary>Weights that a policy has to leave.</summary>
    internal long Least(MethodRun run) => Kept(run.Model.Network) ?? 0;

    /// <summary>Hears what learning left: only where nothing is cut after it.</summary>
    internal Action<TrainingNote> NotesOfLearned(MethodRun run) => Kind == FinishKind.Exact ? _ => { } : run.Observer.OnNote;

    internal static PhasePlan Learning(Recipe recipe) => new(LearningPhase, recipe.Epochs, recipe.LearningRate);

    internal IEnumerable<PhasePlan> Phases(string name, Recipe recipe) => [Learning(recipe), Retraining.Phase(name, recipe)];

    /// <param name="name">Of the phase that trains what stays.</param>
    /// <param name="learning">Leaves at least <see cref="Least"/> weights, and at a finish that is not exact has pruned what is to go.</param>
    internal IEnumerable<PhaseResult> Run(MethodRun run, string name, IMaskPolicy learning)
    {
        PhaseResult learned = run.Train(Learning(run.Recipe), learning);
        yield return learned;
        run.Model.Load(learned.Model);
        if (Kind == FinishKind.Exact) new PruningOptions().CreatePruner(run.Model, run.Recipe.Seed).PruneTo(Sparsity, run.Observer.OnNote);
        yield return run.Train(Retraining.Phase(name, run.Recipe));
    }

    internal SparseFinish Explicit(Recipe recipe) => this with { Retraining = Retraining.Explicit(recipe) };

    internal string? Ignores(string setting, Recipe recipe) => Retraining.Ignores(setting, recipe, alone: false);
}
