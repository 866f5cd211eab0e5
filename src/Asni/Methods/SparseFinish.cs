using System.Collections.Immutable;
using Asni.Pruning;
using Asni.Settings;
using Asni.Training.Policies;

namespace Asni.Methods;

/// <summary>Training with a penalty that draws weights to 0, then one cut over all layers and training of what stays: what the methods that do so have in common.</summary>
public sealed record SparseFinish
{
    private const string PenaltyPhase = "penalized";

    /// <summary>Of an exact finish.</summary>
    public double Sparsity { get; init; } = 0.9;

    public FinishKind Kind { get; init; }

    /// <summary>Of the training after the cut.</summary>
    public Retraining Retraining { get; init; } = new();

    internal static ImmutableArray<Setting<SparseFinish>> Settings { get; } =
    [
        PruningOptions.SparsitySetting<SparseFinish>(f => f.Sparsity, (f, v) => f with { Sparsity = v }) with { Needs = [new("finish", "exact", f => f.Kind == FinishKind.Exact)] },
        SettingFactory.Choice<SparseFinish, FinishKind>("finish", "what stays after training with the penalty: as many weights as the sparsity says (exact), or as many as training has come to (learned)", f => f.Kind, (f, v) => f with { Kind = v }),
        .. Retraining.Settings.In<SparseFinish, Retraining>(f => f.Retraining, (f, v) => f with { Retraining = v }),
    ];

    /// <summary>Null: not known before.</summary>
    internal double? FinalSparsity => Kind == FinishKind.Exact ? Sparsity : null;

    /// <summary>Weights that the penalty has to leave.</summary>
    internal long Least(MethodRun run) => Kind == FinishKind.Exact ? Quota.At(Sparsity, run.Model.Network.WeightCount) : 0;

    internal static PhasePlan Penalized(Recipe recipe) => new(PenaltyPhase, recipe.Epochs, recipe.LearningRate);

    internal IEnumerable<PhasePlan> Phases(string name, Recipe recipe) => [Penalized(recipe), Retraining.Phase(name, recipe)];

    /// <param name="name">Of the phase that trains what stays.</param>
    /// <param name="penalty">Leaves at least <see cref="Least"/> weights, and at a finish that is not exact has pruned what is to go.</param>
    internal IEnumerable<PhaseResult> Run(MethodRun run, string name, IMaskPolicy penalty)
    {
        PhaseResult penalized = run.Train(Penalized(run.Recipe), penalty);
        yield return penalized;
        run.Model.Load(penalized.Model);
        if (Kind == FinishKind.Exact) new PruningOptions().CreatePruner(run.Model, run.Recipe.Seed).PruneTo(Sparsity, run.Observer.OnNote);
        yield return run.Train(Retraining.Phase(name, run.Recipe));
    }

    internal SparseFinish Explicit(Recipe recipe) => this with { Retraining = Retraining.Explicit(recipe) };

    internal string? Ignores(string setting, Recipe recipe) => Retraining.Ignores(setting, recipe, alone: false);
}
