using Asni.Pruning;
using Asni.Settings;
using Asni.Training.Policies;

namespace Asni.Methods;

/// <summary>
/// RigL (Evci, Gale, Menick, Castro, Elsen 2020, arXiv 1911.11134): training from a random mask on; every so many steps the smallest live weights of each layer give their places to
/// the dead ones with the largest gradient. Unlike the authors' code, equal magnitudes are dropped by their place, not by added noise.
/// </summary>
public sealed record Rigl : Method
{
    private const string PhaseName = "rigl";

    /// <summary>Steps between exchanges in the paper.</summary>
    private const int UsualSteps = 100;

    private static readonly MethodRow s_row = new("rigl", "trains sparse from the start; weights with the largest gradient take the place of the smallest", "Evci et al. 2020, arXiv 1911.11134")
    {
        Formula = "random masks at first; every N steps t up to T, in each layer with L live weights, the n = floor(f (1 + cos(pi t / T)) / 2 L) of smallest |w| are dropped and the n dead ones of largest |g| grow, from 0; such a step has no update",
        Leaves = "rigl.safetensors, in less than the time of a dense training",
        Example = [("net", "lenet300"), ("sparsity", "0.95")],
        Settings = SettingFactory.As<Method, Rigl>(
        [
            .. SparseStart.Settings.In<Rigl, SparseStart>(m => m.Start, (m, v) => m with { Start = v }),
            .. ExchangeSettings.Settings($"{UsualSteps}").In<Rigl, ExchangeSettings>(m => m.Exchange, (m, v) => m with { Exchange = v }),
        ]),
        StartsDense = true,
    };

    public SparseStart Start { get; init; } = new();
    public ExchangeSettings Exchange { get; init; } = new();

    internal override MethodRow Row => s_row;

    internal override PruningParts Parts => Start.Parts;

    internal override IEnumerable<PhasePlan> Phases(Recipe recipe, bool given) => [new(PhaseName, recipe.Epochs, recipe.LearningRate)];

    internal override IEnumerable<PhaseResult> Run(MethodRun run)
    {
        Start.Prune(run);
        PhasePlan phase = Phases(run.Recipe, given: false).Single();
        long steps = (long)phase.Epochs * run.StepsPerEpoch;
        yield return run.Train(phase, new Exchange(run.Model, Growth.ByGradient, new ExchangeFraction(Exchange.Fraction, 0, Exchange.Last(steps)), Exchange.Cadence(steps, UsualSteps, run.Observer.OnNote))
        {
            ReplacesUpdate = true,
        });
    }

    internal override void Validate(Recipe recipe)
    {
        if (Exchange.EverySteps == 1) throw new UsageException("exchange-every 1 leaves no step that updates weights: an exchange of rigl takes the place of the update; give 2 or more.");
    }

    internal override double? FinalSparsity(Recipe recipe) => Start.Sparsity;

    internal override Func<int, double>? PlannedSparsity(Recipe recipe, string phase) => phase == PhaseName ? _ => Start.Sparsity : null;
}
