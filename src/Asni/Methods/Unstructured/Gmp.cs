using Asni.Pruning;
using Asni.Settings;

namespace Asni.Methods;

/// <summary>
/// Gradual magnitude pruning (Zhu, Gupta 2017, arXiv 1710.01878): one training in which, every so many steps between two times, the network is pruned by magnitude along a cubic.
/// </summary>
public sealed record Gmp : Method
{
    private const string PhaseName = "gmp";

    private static readonly MethodRow s_row = new("gmp", "prunes by magnitude along a cubic while it trains (gradual magnitude pruning)", "Zhu, Gupta 2017, arXiv 1710.01878")
    {
        Formula = "S(t) = S (1 - (1 - (t - t0) / (t1 - t0))^3), every N steps from t0 to t1; the N - round(S(t) N) weights with the largest score (|w|, or random) stay",
        Leaves = "gmp.safetensors, in the time of one training; the sparser, the faster",
        Example = [("net", "lenet300"), ("sparsity", "0.95")],
        Settings = SettingFactory.As<Method, Gmp>(
        [
            .. GradualPruning.Settings.In<Gmp, GradualPruning>(m => m.Cuts, (m, v) => m with { Cuts = v })
                .Select(s => s.Key == "sparsity" ? s with { Get = m => SettingText.Text(m.EffectiveCuts.Sparsity) } : s),
            .. PruningParts.Settings.In<Gmp, PruningParts>(m => m.Pruning, (m, v) => m with { Pruning = v }),
        ]),
        StartsDense = true,
    };

    /// <summary>How far it is pruned, and when.</summary>
    public GradualPruning Cuts { get; init; } = new();

    public PruningParts Pruning { get; init; } = new();

    internal override MethodRow Row => s_row;

    internal override PruningParts Parts => Pruning;

    /// <summary>To the sparsity of the pattern, where it has one.</summary>
    private GradualPruning EffectiveCuts => Cuts with { Sparsity = Pruning.Target(Cuts.Sparsity) };

    internal override IEnumerable<PhasePlan> Phases(Recipe recipe, bool given) => [new(PhaseName, recipe.Epochs, recipe.LearningRate)];

    internal override IEnumerable<PhaseResult> Run(MethodRun run)
    {
        PhasePlan phase = Phases(run.Recipe, given: false).Single();
        yield return run.Train(phase, EffectiveCuts.Policy(Pruning.CreatePruner(run.Model, run.Recipe.Seed), (long)phase.Epochs * run.StepsPerEpoch, run.Observer.OnNote));
    }

    internal override double? FinalSparsity(Recipe recipe) => EffectiveCuts.Sparsity;

    internal override Func<int, double>? PlannedSparsity(Recipe recipe, string phase) => phase == PhaseName ? EffectiveCuts.PlannedSparsity(recipe) : null;

    internal override void Validate(Recipe recipe)
    {
        Pruning.Validate();
        Cuts.Validate();
    }
}
