using Asni.Settings;
using Asni.Training.Policies;

namespace Asni.Methods;

/// <summary>
/// Pruning by the alternating direction method of multipliers (Zhang et al. 2018, arXiv 1804.03294): training with a quadratic penalty that draws the weights to a sparse copy of
/// themselves, then a cut, and training of what stays. The authors begin with a trained network and choose K of each layer; here K is over all layers together.
/// </summary>
public sealed record AdmmPruning : Method
{
    private const string PhaseName = "admm";

    private static readonly MethodRow s_row = new("admm", "draws weights to a sparse copy of themselves while it trains, prunes and trains what stays (alternating direction method of multipliers)", "Zhang et al. 2018, arXiv 1804.03294")
    {
        Formula = """
            from t0 on, training of L + rho/2 |w - z + u|^2; every N steps z <- the K = N - round(S N) largest of w + u, the rest 0; u <- u + w - z (the first time u = 0);
            at the end the K weights of largest |w| stay and are trained again
            """,
        Leaves = "learned.safetensors, trained with the penalty, and admm.safetensors; in the time of two trainings",
        Example = [("net", "lenet300"), ("sparsity", "0.95")],
        Settings = SettingFactory.As<Method, AdmmPruning>(
        [
            .. SparseFinish.ExactSettings.In<AdmmPruning, SparseFinish>(m => m.Finish, (m, v) => m with { Finish = v }),
            SettingFactory.Number<AdmmPruning>("rho", "factor of the penalty", m => m.Rho, (m, v) => m with { Rho = v }, "[0, inf)"),
            SettingFactory.Number<AdmmPruning>("admm-begin", "share of the first phase after which the penalty begins (t0); 0 for a network that is trained already", m => m.Begin, (m, v) => m with { Begin = v }, "[0, 1)"),
            SettingFactory.Integer<AdmmPruning>("admm-every", "steps between changes of z and u (default: an epoch)", m => m.EverySteps, (m, v) => m with { EverySteps = v }, "[1, inf)"),
        ]),
        StartsDense = true,
    };

    /// <summary>Exact: without K there is no z.</summary>
    public SparseFinish Finish { get; init; } = new();

    /// <summary>rho. Ours: it depends on network, data and optimizer.</summary>
    public double Rho { get; init; } = 1e-3;

    /// <summary>t0. Ours.</summary>
    public double Begin { get; init; } = 0.3;

    /// <summary>N; null: the steps of an epoch.</summary>
    public int? EverySteps { get; init; }

    internal override MethodRow Row => s_row;

    internal override IEnumerable<PhasePlan> Phases(Recipe recipe, bool given) => Finish.Phases(PhaseName, recipe);

    internal override IEnumerable<PhaseResult> Run(MethodRun run)
    {
        long first = (long)Math.Round(Begin * run.Recipe.Epochs * run.StepsPerEpoch);
        return Finish.Run(run, PhaseName, new Admm(run.Model, Finish.Least(run), Rho, new Cadence(EverySteps ?? run.StepsPerEpoch, first)));
    }

    internal override double? FinalSparsity(Recipe recipe) => Finish.FinalSparsity;

    internal override void Validate(Recipe recipe)
    {
        if (Finish.Kind != FinishKind.Exact) throw new UsageException("admm finishes exactly at its sparsity.");
    }

    internal override Method Explicit(Recipe recipe) => this with { Finish = Finish.Explicit(recipe) };

    internal override string? Ignores(string setting, Recipe recipe, bool given) => Finish.Ignores(setting, recipe);
}
