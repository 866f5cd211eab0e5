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
        Leaves = "powerpropagation.safetensors, the network as it was cut, and powerpropagation-retrain.safetensors; in the time of two trainings",
        Example = [("net", "lenet300"), ("sparsity", "0.95"), ("alpha", "2")],
        Settings = SettingFactory.As<Method, Powerpropagation>(
        [
            PruningOptions.SparsitySetting<Powerpropagation>(m => m.Sparsity, (m, v) => m with { Sparsity = v }),
            SettingFactory.Number<Powerpropagation>("alpha", "power of the trained weights; 1 is training as usual", m => m.Alpha, (m, v) => m with { Alpha = v }, "[1, 10]"),
            .. Retraining.Settings.In<Powerpropagation, Retraining>(m => m.Retraining, (m, v) => m with { Retraining = v }),
        ]),
        StartsDense = true,
    };

    public double Sparsity { get; init; } = 0.9;
    public double Alpha { get; init; } = 2;

    /// <summary>Of the training after the cut.</summary>
    public Retraining Retraining { get; init; } = new();

    internal override MethodRow Row => s_row;

    internal override IEnumerable<PhasePlan> Phases(Recipe recipe, bool given) => MaskLearning.Phases(PhaseName, recipe, Retraining);

    internal override IEnumerable<PhaseResult> Run(MethodRun run)
    {
        var weights = new PoweredWeights(run.Model, Alpha, Quota.At(Sparsity, run.Model.Network.WeightCount));
        weights.Begin();
        return MaskLearning.Run(run, Phases(run.Recipe, given: false), weights);
    }

    internal override double? FinalSparsity(Recipe recipe) => Sparsity;

    internal override Method Explicit(Recipe recipe) => this with { Retraining = Retraining.Explicit(recipe) };

    internal override string? Ignores(string setting, Recipe recipe, bool given) => Retraining.Ignores(setting, recipe, alone: false);
}
