using Asni.Pruning;
using Asni.Settings;
using Asni.Training.Policies;

namespace Asni.Methods;

/// <summary>What decides which dead weights come alive.</summary>
public enum GrowthKind
{
    /// <summary>|g|.</summary>
    Gradient,
    /// <summary>Random numbers of the recipe's seed.</summary>
    Random,
}

/// <summary>
/// In-time over-parameterization (Liu, Yin, Mocanu, Pechenizkiy 2021, arXiv 2102.02887): SET or RigL with exchanges so large and so far apart that new weights have time to
/// grow, and many weights are tried in the course of training. Each epoch's record says how many: Rs, the share that has ever been live.
/// </summary>
public sealed record Itop : Method
{
    private const string PhaseName = "itop";

    /// <summary>Steps between exchanges in the authors' settings.</summary>
    private const int UsualStepsRandom = 1500, UsualStepsGradient = 4000;

    private static readonly MethodRow s_row = new("itop", "trains sparse from the start with large exchanges far apart, so that many weights are tried (in-time over-parameterization)", "Liu et al. 2021, arXiv 2102.02887")
    {
        Formula = "as rigl, with f from 0.5, but the exchange comes after the step's update; with random growth n random dead ones grow; Rs, the share of weights ever live, is in metrics.jsonl as ever_live",
        Leaves = "itop.safetensors, in less than the time of a dense training",
        Example = [("net", "lenet300"), ("sparsity", "0.95")],
        Settings = SettingFactory.As<Method, Itop>(
        [
            .. SparseStart.Settings.In<Itop, SparseStart>(m => m.Start, (m, v) => m with { Start = v }),
            SettingFactory.Choice<Itop, GrowthKind>("growth", "which dead weights grow: those of largest gradient, or random ones", m => m.Growth, (m, v) => m with { Growth = v }),
            .. ExchangeSettings.Settings($"{UsualStepsGradient}, {UsualStepsRandom} with random growth").In<Itop, ExchangeSettings>(m => m.Exchange, (m, v) => m with { Exchange = v }),
        ]),
        StartsDense = true,
    };

    public SparseStart Start { get; init; } = new();
    public GrowthKind Growth { get; init; }
    public ExchangeSettings Exchange { get; init; } = new() { Fraction = 0.5, End = 1 };

    internal override MethodRow Row => s_row;

    internal override PruningParts Parts => Start.Parts;

    internal override IEnumerable<PhasePlan> Phases(Recipe recipe, bool given) => [new(PhaseName, recipe.Epochs, recipe.LearningRate)];

    internal override IEnumerable<PhaseResult> Run(MethodRun run)
    {
        Start.Prune(run);
        PhasePlan phase = Phases(run.Recipe, given: false).Single();
        long steps = (long)phase.Epochs * run.StepsPerEpoch;
        bool random = Growth == GrowthKind.Random;
        var policy = new Exchange(run.Model, random ? Training.Policies.Growth.AtRandom(run.Recipe.Seed) : Training.Policies.Growth.ByGradient,
            new ExchangeFraction(Exchange.Fraction, 0, Exchange.Last(steps)), Exchange.Cadence(steps, random ? UsualStepsRandom : UsualStepsGradient, run.Observer.OnNote))
        {
            Exploration = new Exploration(run.Model),
        };
        yield return run.Train(phase, policy);
    }

    internal override double? FinalSparsity(Recipe recipe) => Start.Sparsity;

    internal override Func<int, double>? PlannedSparsity(Recipe recipe, string phase) => phase == PhaseName ? _ => Start.Sparsity : null;
}
