using Asni.Pruning;
using Asni.Settings;
using Asni.Training.Policies;

namespace Asni.Methods;

/// <summary>
/// Mini-batch stochastic iterative hard thresholding (Damadi, Shen 2022, arXiv 2209.14536): after every step of gradient descent the K weights of largest magnitude stay, and the next
/// step moves all weights again from there.
/// </summary>
public sealed record Iht : Method
{
    private const string PhaseName = "iht";

    private static readonly MethodRow s_row = new("iht", "keeps the K largest weights after every step, and every step moves all (stochastic iterative hard thresholding)", "Damadi, Shen 2022, arXiv 2209.14536")
    {
        Formula = "w <- H_K(w - lr g(w)) every N steps from t0 on, else w <- w - lr g(w): g of all weights, H_K keeps the K = N - round(S N) of largest |w|; weights that are cut start from 0, with optimizer state 0",
        Leaves = "iht.safetensors, in more than the time of a dense training: masks change twice a step",
        Example = [("net", "lenet300"), ("sparsity", "0.95"), ("optimizer", "sgd"), ("lr", "0.1")],
        Settings = SettingFactory.As<Method, Iht>(
        [
            PruningOptions.SparsitySetting<Iht>(m => m.Sparsity, (m, v) => m with { Sparsity = v }),
            SettingFactory.Number<Iht>("threshold-begin", "share of the run after which thresholding begins (t0)", m => m.Begin, (m, v) => m with { Begin = v }, "[0, 1)"),
            SettingFactory.Integer<Iht>("threshold-every", "keep the largest weights after every N steps", m => m.EverySteps, (m, v) => m with { EverySteps = v }, "[1, inf)"),
            .. PruningOptions.Settings.In<Iht, PruningOptions>(m => m.Pruning, (m, v) => m with { Pruning = v }),
        ]),
        StartsDense = true,
    };

    /// <summary>Of what each cut leaves, and of the delivered network.</summary>
    public double Sparsity { get; init; } = 0.9;

    /// <summary>t0, a share of the run; 0 in the paper.</summary>
    public double Begin { get; init; }

    /// <summary>N, 1 in the paper.</summary>
    public int EverySteps { get; init; } = 1;

    public PruningOptions Pruning { get; init; } = new();

    internal override MethodRow Row => s_row;

    internal override IEnumerable<PhasePlan> Phases(Recipe recipe, bool given) => [new(PhaseName, recipe.Epochs, recipe.LearningRate)];

    internal override IEnumerable<PhaseResult> Run(MethodRun run)
    {
        PhasePlan phase = Phases(run.Recipe, given: false).Single();
        long steps = (long)phase.Epochs * run.StepsPerEpoch, first = Math.Max(1, (long)Math.Round(Begin * steps));
        yield return run.Train(phase, new HardThresholding(Pruning.CreatePruner(run.Model, run.Recipe.Seed), Sparsity, new Cadence(EverySteps, first, steps), run.Observer.OnNote));
    }

    internal override double? FinalSparsity(Recipe recipe) => Sparsity;
}
