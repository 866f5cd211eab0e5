using Asni.Pruning;
using Asni.Settings;
using Asni.Training.Policies;

namespace Asni.Methods;

/// <summary>
/// Sparse evolutionary training (Mocanu et al. 2018, arXiv 1707.04780): training from a random mask on; after each epoch the smallest live weights of each layer give their
/// places to random ones. Unlike the original, positive and negative weights are dropped by one order of magnitude, and new weights are 0, as in Evci et al. 2020 (arXiv 1911.11134).
/// </summary>
public sealed record SparseEvolution : Method
{
    private const string PhaseName = "set";

    private static readonly MethodRow s_row = new("set", "trains sparse from the start; each epoch random weights take the place of the smallest (sparse evolutionary training)", "Mocanu et al. 2018, arXiv 1707.04780")
    {
        Formula = "random masks at first; after each epoch, in each layer with L live weights, the n = floor(f L) of smallest |w| are dropped and n random dead ones grow, from 0",
        Leaves = "set.safetensors, in less than the time of a dense training",
        Example = [("net", "lenet300"), ("sparsity", "0.95")],
        Settings = SettingFactory.As<Method, SparseEvolution>(
        [
            .. SparseStart.Settings.In<SparseEvolution, SparseStart>(m => m.Start, (m, v) => m with { Start = v }),
            SettingFactory.Number<SparseEvolution>("exchange-fraction", "share of a layer's live weights that an exchange drops and grows anew", m => m.Fraction, (m, v) => m with { Fraction = v }, "[0, 1]"),
        ]),
        StartsDense = true,
    };

    public SparseStart Start { get; init; } = new();

    /// <summary>f, zeta in the paper; 0: the mask stays as it is, the control of all such methods.</summary>
    public double Fraction { get; init; } = 0.3;

    internal override MethodRow Row => s_row;

    internal override PruningParts Parts => Start.Parts;

    internal override IEnumerable<PhasePlan> Phases(Recipe recipe, bool given) => [new(PhaseName, recipe.Epochs, recipe.LearningRate)];

    internal override IEnumerable<PhaseResult> Run(MethodRun run)
    {
        Start.Prune(run);
        var policy = new Exchange(run.Model, Growth.AtRandom(run.Recipe.Seed), ExchangeFraction.Constant(Fraction), Cadence.EachEpoch);
        yield return run.Train(Phases(run.Recipe, given: false).Single(), policy);
    }

    internal override double? FinalSparsity(Recipe recipe) => Start.Sparsity;

    internal override Func<int, double>? PlannedSparsity(Recipe recipe, string phase) => phase == PhaseName ? _ => Start.Sparsity : null;
}
