using Asni.Pruning;
using Asni.Settings;
using Asni.Training.Policies;

namespace Asni.Methods;

/// <summary>
/// Gradual magnitude pruning (Zhu, Gupta 2017, arXiv 1710.01878): one training in which, every so many steps between two times, the network is pruned by magnitude along a cubic.
/// </summary>
public sealed record Gmp : Method
{
    private const string PhaseName = "gmp";

    /// <summary>Steps between prunings in the paper: 100 to 1,000. A training too short for so many prunings has shorter ones.</summary>
    private const int UsualSteps = 100, FewestPrunings = 20;

    private static readonly MethodRow s_row = new("gmp", "prunes by magnitude along a cubic while it trains (gradual magnitude pruning)", "Zhu, Gupta 2017, arXiv 1710.01878")
    {
        Formula = "S(t) = S (1 - (1 - (t - t0) / (t1 - t0))^3), every N steps from t0 to t1; the N - round(S(t) N) weights with the largest score (|w|, or random) stay",
        Leaves = "gmp.safetensors, in the time of one training; the sparser, the faster",
        Example = [("net", "lenet300"), ("sparsity", "0.95")],
        Settings = SettingFactory.As<Method, Gmp>(
        [
            PruningOptions.SparsitySetting<Gmp>(m => m.Sparsity, (m, v) => m with { Sparsity = v }),
            SettingFactory.Number<Gmp>("prune-begin", "share of the run after which pruning begins (t0)", m => m.Begin, (m, v) => m with { Begin = v }, "[0, 1)"),
            SettingFactory.Number<Gmp>("prune-end", "share of the run after which the final sparsity is reached (t1)", m => m.End, (m, v) => m with { End = v }, "(0, 1]"),
            SettingFactory.Integer<Gmp>("prune-every", "prune every N steps (default: every 100, or a 20th of the pruning time if that is less)", m => m.EverySteps, (m, v) => m with { EverySteps = v }, "[1, inf)"),
            .. PruningParts.Settings.In<Gmp, PruningParts>(m => m.Pruning, (m, v) => m with { Pruning = v }),
        ]),
        StartsDense = true,
    };

    /// <summary>Of the delivered network.</summary>
    public double Sparsity { get; init; } = 0.9;

    /// <summary>t0, a share of the run. The defaults are near those of STR's comparison on ImageNet: epochs 20 to 79 of 100 (Kusupati et al. 2020).</summary>
    public double Begin { get; init; } = 0.2;

    /// <summary>t1, a share of the run.</summary>
    public double End { get; init; } = 0.8;

    /// <summary>Steps between prunings; null for 100, or a 20th of the time from t0 to t1 where that is less.</summary>
    public int? EverySteps { get; init; }

    public PruningParts Pruning { get; init; } = new();

    internal override MethodRow Row => s_row;

    internal override IEnumerable<PhasePlan> Phases(Recipe recipe, bool given) => [new(PhaseName, recipe.Epochs, recipe.LearningRate)];

    internal override IEnumerable<PhaseResult> Run(MethodRun run)
    {
        PhasePlan phase = Phases(run.Recipe, given: false).Single();
        double steps = (double)phase.Epochs * run.StepsPerEpoch;
        long first = (long)Math.Round(Begin * steps), last = Math.Max(1, (long)Math.Round(End * steps));
        int every = EverySteps ?? (int)Math.Clamp((last - first) / FewestPrunings, 1, UsualSteps);
        var pruner = Pruning.CreatePruner(run.Model, run.Recipe.Seed);
        var policy = new PruneOnSchedule(pruner, Schedule(first / steps, last / steps), new Cadence(every, first, last), run.Observer.OnNote);
        yield return run.Train(phase, policy);
    }

    internal override double? FinalSparsity(Recipe recipe) => Sparsity;

    /// <summary>An epoch trains under what was pruned to until its end.</summary>
    internal override Func<int, double>? PlannedSparsity(Recipe recipe, string phase) => phase == PhaseName ? e => Schedule(Begin, End).GetSparsity(e, recipe.Epochs) : null;

    internal override void Validate(Recipe recipe)
    {
        Pruning.Validate();
        if (!(Begin < End)) throw new UsageException($"prune-begin {SettingText.Text(Begin)} is not before prune-end {SettingText.Text(End)}.");
    }

    private CubicSchedule Schedule(double begin, double end) => new() { Final = Sparsity, Begin = begin, End = end };
}
