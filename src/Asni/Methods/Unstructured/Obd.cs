using Asni.Pruning;
using Asni.Settings;

namespace Asni.Methods;

/// <summary>Optimal brain damage (LeCun, Denker, Solla 1989): after dense training the weights are pruned whose removal raises the loss least, by its curvature along each weight.</summary>
public sealed record Obd : Method
{
    private const string PhaseName = "obd";

    private static readonly MethodRow s_row = new("obd", "trains densely, prunes once by the loss's curvature along each weight, and trains what stays", "LeCun, Denker, Solla 1989, Optimal Brain Damage")
    {
        Formula = """
            the K = N - round(S N) weights with the largest h w^2 / 2 stay: h the mean of g^2 over m gradients g, each of the mean cross-entropy of a small batch of training images
            (fisher), or of v (H v) with v of random signs, H v by differences of such gradients (hutchinson); batch-norm in evaluation mode;
            gradual: to N (1 - S(t)) at times t of the training, S(t) = S (1 - (1 - (t - t0) / (t1 - t0))^3)
            """,
        Leaves = "dense.safetensors, unless the run starts from a network, and obd.safetensors; in the time of two trainings",
        Example = [("net", "lenet300"), ("sparsity", "0.9"), ("retrain-lr", "6e-5")],
        Settings = SettingFactory.As<Method, Obd>(
        [
            .. CurvaturePruning.Settings.In<Obd, CurvaturePruning>(m => m.Pruning, (m, v) => m with { Pruning = v }),
            SettingFactory.Choice<Obd, CurvatureKind>("curvature", "estimated by fisher (squares of gradients) or hutchinson (differences of gradients along random signs)", m => m.Curvature, (m, v) => m with { Curvature = v }),
        ]),
        StartsDense = true,
    };

    public CurvaturePruning Pruning { get; init; } = new();

    public CurvatureKind Curvature { get; init; }

    internal override MethodRow Row => s_row;

    internal override IEnumerable<PhasePlan> Phases(Recipe recipe, bool given) => Pruning.Retraining.PhasesAfterDense(PhaseName, recipe, given);

    internal override IEnumerable<PhaseResult> Run(MethodRun run)
    {
        if (Curvature == CurvatureKind.Hutchinson) SecondDerivatives.RequireFullPrecision(run.Device, Name);
        return Pruning.Run(run, PhaseName, rounds: 1, batches => new OptimalBrainDamage(batches, Curvature, run.Recipe.Seed), (_, _) => { });
    }

    internal override void Validate(Recipe recipe) => Pruning.Validate();

    internal override double? FinalSparsity(Recipe recipe) => Pruning.Sparsity;

    internal override Method Explicit(Recipe recipe) => this with { Pruning = Pruning with { Retraining = Pruning.Retraining.Explicit(recipe) } };

    internal override string? Ignores(string setting, Recipe recipe, bool given) => Pruning.Ignores(setting, recipe, given);

    internal override Func<int, double>? PlannedSparsity(Recipe recipe, string phase) => Pruning.PlannedSparsity(recipe, PhaseName, phase);
}
