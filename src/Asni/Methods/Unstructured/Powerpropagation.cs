using Asni.Pruning;
using Asni.Settings;
using Asni.Training.Policies;

namespace Asni.Methods;

/// <summary>
/// Powerpropagation (Schwarz, Jayakumar, Pascanu, Latham, Teh 2021, arXiv 2110.00296): weights are powers of what is trained, so that small ones move little and large ones much;
/// then pruned by magnitude.
/// </summary>
public sealed record Powerpropagation : Method
{
    private const string PhaseName = "powerpropagation";

    private static readonly MethodRow s_row = new(PhaseName, "trains weights as powers of others, which makes many small; then prunes by magnitude", "Schwarz et al. 2021, arXiv 2110.00296")
    {
        Formula = "the network computes with v = w |w|^(alpha - 1), and w is trained, from initial values that give v its usual ones; then the K = N - round(S N) weights v with the largest |v| stay and are trained as usual",
        Leaves = "learned.safetensors, the network as it was cut, and powerpropagation.safetensors; in the time of two trainings",
        Example = [("net", "lenet300"), ("sparsity", "0.95"), ("alpha", "2")],
        Settings = SettingFactory.As<Method, Powerpropagation>(
        [
            .. SparseFinish.ExactSettings.In<Powerpropagation, SparseFinish>(m => m.Finish, (m, v) => m with { Finish = v }),
            SettingFactory.Number<Powerpropagation>("alpha", "power of the trained weights; 1 is training as usual", m => m.Alpha, (m, v) => m with { Alpha = v }, "[1, 10]"),
        ]),
        StartsDense = true,
    };

    /// <summary>Its kind is exact.</summary>
    public SparseFinish Finish { get; init; } = new();
    public double Alpha { get; init; } = 2;

    internal override MethodRow Row => s_row;

    internal override IEnumerable<PhasePlan> Phases(Recipe recipe, bool given) => Finish.Phases(PhaseName, recipe);

    internal override IEnumerable<PhaseResult> Run(MethodRun run)
    {
        var weights = new PoweredWeights(run.Model, Alpha, Quota.At(Finish.Sparsity, run.Model.Network.WeightCount), Finish.NotesOfLearned(run));
        weights.Begin();
        return Finish.Run(run, PhaseName, weights);
    }

    internal override void Validate(Recipe recipe)
    {
        if (Finish.Kind != FinishKind.Exact) throw new UsageException("powerpropagation finishes exactly at its sparsity.");
    }

    internal override double? FinalSparsity(Recipe recipe) => Finish.Sparsity;

    internal override Method Explicit(Recipe recipe) => this with { Finish = Finish.Explicit(recipe) };

    internal override string? Ignores(string setting, Recipe recipe, bool given) => Finish.Ignores(setting, recipe);
}
