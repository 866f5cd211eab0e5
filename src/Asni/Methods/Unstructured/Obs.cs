using Asni.Pruning;
using Asni.Settings;

namespace Asni.Methods;

/// <summary>
/// Optimal brain surgeon (Hassibi, Stork 1992) with the empirical Fisher matrix in blocks, as in WoodFisher (Singh, Alistarh 2020, arXiv 2004.14340) and M-FAC (Frantar, Kurtic, Alistarh 2021,
/// arXiv 2107.03356): after dense training the weights are pruned whose removal raises the loss least, and those that stay are moved to make up for them.
/// </summary>
public sealed record Obs : Method
{
    private const string PhaseName = "obs";

    private static readonly MethodRow s_row = new("obs", "trains densely, prunes by the Fisher matrix, moves the other weights to make up for it, and trains them (optimal brain surgeon, WoodFisher, M-FAC)",
        "Hassibi, Stork 1992; Singh, Alistarh 2020, arXiv 2004.14340; Frantar, Kurtic, Alistarh 2021, arXiv 2107.03356")
    {
        Formula = """
            F = damp I + 1/m sum g g' over m gradients g, each of the mean cross-entropy of a small batch of training images, in blocks of neighbouring weights; batch-norm in evaluation mode;
            the weights with the largest w_q^2 / (2 [F^-1]_qq) stay, and dw_L = F_LL^-1 F_LQ w_Q is added to them: L a block's weights that stay, Q those that go;
            in n rounds: to K_i = N (K / N)^(i / n), K = N - round(S N), with F of the live weights anew each time;
            gradual: to N (1 - S(t)) at times t of the training, S(t) = S (1 - (1 - (t - t0) / (t1 - t0))^3)
            """,
        Leaves = "dense.safetensors, unless the run starts from a network, and obs.safetensors; in the time of two trainings",
        Example = [("net", "lenet300"), ("sparsity", "0.95"), ("rounds", "4"), ("retrain-lr", "6e-5")],
        Settings = SettingFactory.As<Method, Obs>(
        [
            .. CurvaturePruning.Settings.In<Obs, CurvaturePruning>(m => m.Pruning, (m, v) => m with { Pruning = v }),
            SettingFactory.Integer<Obs>("fisher-block", "neighbouring weights of a tensor that F relates to each other", m => m.Block, (m, v) => m with { Block = v }, "[1, 8192]"),
            SettingFactory.Number<Obs>("damp", "what is added to F's diagonal", m => m.Damp, (m, v) => m with { Damp = v }, "(0, inf)"),
            SettingFactory.Integer<Obs>("rounds", "cuts, each by another F", m => m.Rounds, (m, v) => m with { Rounds = v }, "[1, inf)"),
        ]),
        StartsDense = true,
    };

    public CurvaturePruning Pruning { get; init; } = new();

    /// <summary>Neighbouring weights of a tensor that F relates to each other.</summary>
    public int Block { get; init; } = 128;

    /// <summary>What is added to F's diagonal.</summary>
    public double Damp { get; init; } = 1e-5;

    /// <summary>Cuts, each by another F.</summary>
    public int Rounds { get; init; } = 16;

    internal override MethodRow Row => s_row;

    internal override IEnumerable<PhasePlan> Phases(Recipe recipe, bool given) => Pruning.Retraining.PhasesAfterDense(PhaseName, recipe, given);

    internal override IEnumerable<PhaseResult> Run(MethodRun run) =>
        Pruning.Run(run, PhaseName, Rounds, batches => new OptimalBrainSurgeon(batches, new FisherShape(Block, Damp)), (score, model) => score.Compensate(model));

    internal override void Validate(Recipe recipe) => Pruning.Validate();

    internal override double? FinalSparsity(Recipe recipe) => Pruning.Sparsity;

    internal override Method Explicit(Recipe recipe) => this with { Pruning = Pruning with { Retraining = Pruning.Retraining.Explicit(recipe) } };

    internal override string? Ignores(string setting, Recipe recipe, bool given) => Pruning.Ignores(setting, recipe, given);

    internal override Func<int, double>? PlannedSparsity(Recipe recipe, string phase) => Pruning.PlannedSparsity(recipe, PhaseName, phase);
}
