using Asni.Pruning;
using Asni.Settings;

namespace Asni.Methods;

/// <summary>
/// One-shot magnitude pruning (Han, Pool, Tran, Dally 2015, arXiv 1506.02626): dense training, one cut by magnitude, training of what stays. A network that is given is cut as it is.
/// </summary>
public sealed record OneShot : Method
{
    private const string PhaseName = "oneshot";

    private static readonly MethodRow s_row = new("oneshot", "trains densely, prunes once by magnitude and trains what stays", "Han, Pool, Tran, Dally 2015, arXiv 1506.02626")
    {
        Formula = "after dense training the K = N - round(S N) weights with the largest score (|w|, or random) stay; then w <- m * (w - lr (g + decay w))",
        Leaves = "dense.safetensors, unless the run starts from a network, and oneshot.safetensors; in the time of two trainings",
        Example = [("net", "lenet300"), ("sparsity", "0.9"), ("retrain-lr", "6e-5")],
        Settings = SettingFactory.As<Method, OneShot>(
        [
            PruningOptions.SparsitySetting<OneShot>(m => m.Pruning.Target(m.Sparsity), (m, v) => m with { Sparsity = v }),
            .. PruningParts.Settings.In<OneShot, PruningParts>(m => m.Pruning, (m, v) => m with { Pruning = v }),
            .. Retraining.Settings.In<OneShot, Retraining>(m => m.Retraining, (m, v) => m with { Retraining = v }),
        ]),
        StartsDense = true,
    };

    public double Sparsity { get; init; } = 0.9;
    public PruningParts Pruning { get; init; } = new();

    /// <summary>Of the training after the cut.</summary>
    public Retraining Retraining { get; init; } = new();

    internal override MethodRow Row => s_row;

    internal override PruningParts Parts => Pruning;

    internal override IEnumerable<PhasePlan> Phases(Recipe recipe, bool given) => Retraining.PhasesAfterDense(PhaseName, recipe, given);

    internal override IEnumerable<PhaseResult> Run(MethodRun run) => Retraining.RunAfterDense(run, PhaseName, model =>
    {
        Pruning.CreatePruner(model, run.Recipe.Seed).PruneTo(Pruning.Target(Sparsity), run.Observer.OnNote);
        return null;
    });

    internal override void Validate(Recipe recipe) => Pruning.Validate();

    internal override double? FinalSparsity(Recipe recipe) => Pruning.Target(Sparsity);

    internal override Method Explicit(Recipe recipe) => this with { Retraining = Retraining.Explicit(recipe) };

    internal override string? Ignores(string setting, Recipe recipe, bool given) => base.Ignores(setting, recipe, given) ?? Retraining.Ignores(setting, recipe, alone: given);
}
