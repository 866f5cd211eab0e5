using System.Collections.Immutable;
using System.Globalization;
using Asni.Pruning;
using Asni.Settings;
using Asni.Training.Policies;

namespace Asni.Methods;

/// <summary>
/// ASNI-I (Damadi, Nouri, Pirsiavash 2023, Algorithm 1): one round of training in which, after each epoch e but the last, the network is
/// pruned globally by magnitude to the sparsity S(e) of a sigmoid. The delivered network was trained under its final mask.
/// </summary>
public record AsniI : Method
{
    internal const string PhaseName = "asni1";

    private protected static ImmutableArray<Setting<Method>> OwnSettings { get; } = SettingFactory.As<Method, AsniI>(
    [
        SettingFactory.Number<AsniI>("sparsity", "final sparsity, the share of weights that are pruned: 0.97 for 97 %; replaces mag1", m => m.Sparsity, (m, v) => m with { Sparsity = v }, "[0, 1)")
            with { YieldsTo = ("mag1", m => m with { Sparsity = null }) },
        .. SparsitySchedule.Settings.In<AsniI, SparsitySchedule>(m => m.Schedule, (m, v) => m with { Schedule = v }).Select(NotSavedBesideSparsity),
        .. PruningOptions.Settings.In<AsniI, PruningOptions>(m => m.Pruning, (m, v) => m with { Pruning = v }),
        SettingFactory.Integer<AsniI>("prune-every", "prune every N steps (default: after each epoch)", m => m.EverySteps, (m, v) => m with { EverySteps = v }, "[1, inf)"),
    ]);

    private static readonly MethodRow s_row = new("asni1", "prunes along a sigmoid while it trains: one round to a sparse network (ASNI-I)", "Damadi, Nouri, Pirsiavash 2023, Algorithm 1")
    {
        Formula = """
            S(e) = mag1 / (1 + exp(-(e - trans1 E) / scale1))     after epoch e of E, but not after the last
            the K = N - round(S(e) N) weights with the largest |w| of all layers together stay; the others are 0 for good
            """,
        Leaves = "asni1.safetensors, in the time of one training; the sparser, the faster",
        Example = [("net", "lenet300"), ("sparsity", "0.97")],
        Settings = OwnSettings,
        StartsDense = true,
    };

    /// <summary>Of the delivered network; null: what <see cref="Schedule"/> gives at its own height.</summary>
    public double? Sparsity { get; init; }

    public SparsitySchedule Schedule { get; init; } = new();
    public PruningOptions Pruning { get; init; } = new();

    /// <summary>Prune every n training steps instead of after each epoch; null for each epoch.</summary>
    public int? EverySteps { get; init; }

    internal override MethodRow Row => s_row;

    internal override IEnumerable<PhasePlan> Phases(Recipe recipe, bool given) => [Phase(recipe)];

    internal override IEnumerable<PhaseResult> Run(MethodRun run) => [Prune(run)];

    internal override double? FinalSparsity(Recipe recipe) => EffectiveSchedule(recipe).GetFinalSparsity(recipe.Epochs);

    internal override Func<int, double>? PlannedSparsity(Recipe recipe, string phase) =>
        phase == PhaseName ? e => e == 0 ? 0 : EffectiveSchedule(recipe).GetSparsity(e - 1, recipe.Epochs) : null;

    internal override void Validate(Recipe recipe)
    {
        // The schedule's own checks come first: a final sparsity cannot be asked of one that makes no sense.
        Schedule.ValidateShape(recipe.Epochs);
        EffectiveSchedule(recipe).Validate(recipe.Epochs);
    }

    internal override Method Explicit(Recipe recipe) => this with { Sparsity = null, Schedule = EffectiveSchedule(recipe) };

    internal override string? Ignores(string setting, Recipe recipe, bool given) =>
        setting is "mag2" or "trans2" or "scale2" && Schedule.Rest >= recipe.Epochs ? "the first phase of the schedule takes all epochs" : null;

    internal override TrainingNote? Remark(Recipe recipe, Recipe published)
    {
        const double nearlyAll = 0.9;
        if (Sparsity is not null || published.Method is not AsniI model) return null;
        double reached = Schedule.GetFinalSparsity(recipe.Epochs), meant = model.EffectiveSchedule(published).GetFinalSparsity(published.Epochs);
        if (reached >= nearlyAll * meant) return null;
        return recipe.Epochs == 1
            ? new("a run of one epoch prunes nothing: weights are pruned after each epoch but the last.")
            : new(string.Create(CultureInfo.InvariantCulture, $"in {recipe.Epochs} epochs this schedule prunes {100 * reached:0.00} %, and the recipe's {100 * meant:0.00} %."), TrainingNoteKind.ScheduleCutShort);
    }

    /// <summary>The schedule, as high as the sparsity needs it where one is asked for.</summary>
    internal SparsitySchedule EffectiveSchedule(Recipe recipe) => Sparsity is { } sparsity ? Schedule.WithFinalSparsity(sparsity, recipe.Epochs) : Schedule;

    private protected static PhasePlan Phase(Recipe recipe) => new(PhaseName, recipe.Epochs, recipe.LearningRate);

    private protected PhaseResult Prune(MethodRun run)
    {
        int epochs = run.Recipe.Epochs;
        // Every n steps the schedule is read between epochs: at the end of epoch e it says S(e), as when pruning by epochs.
        Cadence cadence = EverySteps is { } every ? new Cadence(every, Last: (epochs - 1L) * run.StepsPerEpoch / every * every) : Cadence.EachEpoch;
        var pruner = Pruning.CreatePruner(run.Model, run.Recipe.Seed);
        var policy = new PruneOnSchedule(pruner, EffectiveSchedule(run.Recipe), cadence, run.Observer.OnNote);
        return run.Train(Phase(run.Recipe), policy, stream: 1);
    }

    /// <summary>The height follows from the sparsity; beside a second phase it still gives their proportion.</summary>
    private static Setting<AsniI> NotSavedBesideSparsity(Setting<AsniI> setting) =>
        setting.Key == "mag1" ? setting with { Get = m => m.Sparsity is null || m.Schedule is { Kind: ScheduleKind.Sigmoid, Rest: not null, Mag2: > 0 } ? setting.Get(m) : null } : setting;
}
