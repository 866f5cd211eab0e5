using Asni.Pruning;
using Asni.Settings;
using Asni.Training.Policies;

namespace Asni.Methods;

/// <summary>
/// Sparse momentum, "sparse networks from scratch" (Dettmers, Zettlemoyer 2019, arXiv 1907.04840): training from a random mask on; after each epoch the smallest live weights of each
/// layer are dropped, and as many grow where the momentum of the gradient is largest, more of them in layers whose live weights have more momentum. Unlike the authors' code, the
/// momentum is the smoothed gradient whatever the optimizer, without weight decay and without Adam's division.
/// </summary>
public sealed record Snfs : Method
{
    private const string PhaseName = "snfs";

    /// <summary>What the share of weights that an exchange moves falls to.</summary>
    private const double FinalFraction = 0.005;

    private static readonly MethodRow s_row = new("snfs", "trains sparse from the start; each epoch weights with the largest momentum take the place of the smallest, across layers (sparse momentum)", "Dettmers, Zettlemoyer 2019, arXiv 1907.04840")
    {
        Formula = """
            random masks at first; m <- b m + (1 - b) g, for pruned weights too; after each epoch the floor(f(t) L) of smallest |w| are dropped in each layer with L live weights, f(t) falling along a cosine to 0.005;
            as many as were dropped in all grow, from 0, shared out in proportion to the mean |m| of each layer's live weights, in each layer those of largest |m|
            """,
        Leaves = "snfs.safetensors, in about the time of a dense training: the weight gradient is computed for all weights",
        Example = [("net", "lenet300"), ("sparsity", "0.95")],
        Settings = SettingFactory.As<Method, Snfs>(
        [
            .. SparseStart.Settings.In<Snfs, SparseStart>(m => m.Start, (m, v) => m with { Start = v }),
            SettingFactory.Number<Snfs>("exchange-fraction", "share of a layer's live weights that an exchange drops, at first", m => m.Fraction, (m, v) => m with { Fraction = v }, "[0, 1]"),
            SettingFactory.Number<Snfs>("growth-momentum", "how much of the smoothed gradient each step keeps (b)", m => m.Momentum, (m, v) => m with { Momentum = v }, "[0, 1)"),
        ]),
        StartsDense = true,
    };

    /// <summary>The authors start from the same density in each layer.</summary>
    public SparseStart Start { get; init; } = new() { Allocation = AllocationKind.Uniform };

    /// <summary>f at the start.</summary>
    public double Fraction { get; init; } = 0.5;

    /// <summary>b.</summary>
    public double Momentum { get; init; } = 0.9;

    internal override MethodRow Row => s_row;

    internal override PruningParts Parts => Start.Parts;

    internal override IEnumerable<PhasePlan> Phases(Recipe recipe, bool given) => [new(PhaseName, recipe.Epochs, recipe.LearningRate)];

    internal override IEnumerable<PhaseResult> Run(MethodRun run)
    {
        Start.Prune(run);
        PhasePlan phase = Phases(run.Recipe, given: false).Single();
        var fraction = new ExchangeFraction(Fraction, Math.Min(Fraction, FinalFraction), (long)phase.Epochs * run.StepsPerEpoch);
        yield return run.Train(phase, new MomentumExchange(run.Model, fraction, Momentum));
    }

    internal override double? FinalSparsity(Recipe recipe) => Start.Sparsity;

    internal override Func<int, double>? PlannedSparsity(Recipe recipe, string phase) => phase == PhaseName ? _ => Start.Sparsity : null;
}
