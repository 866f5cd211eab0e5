using Asni.Pruning;
using Asni.Settings;
using Asni.Training.Policies;

namespace Asni.Methods;

/// <summary>
/// Movement pruning (Sanh, Wolf, Rush 2020, arXiv 2005.07683): fine-tuning in which the network is pruned along a cubic, and those weights stay that training moves away from 0. As in
/// SparseML's code, scores add up -w g of the weights that live, and pruned weights do not return; the paper trains scores with a straight-through gradient, also of pruned weights.
/// </summary>
public sealed record MovementPruning : Method
{
    private const string PhaseName = "movement";

    private static readonly MethodRow s_row = new("movement", "prunes along a cubic while a given network is fine-tuned: weights that move away from 0 stay (movement pruning)", "Sanh, Wolf, Rush 2020, arXiv 2005.07683")
    {
        Formula = "each step s <- s - w g; S(t) = S (1 - (1 - (t - t0) / (t1 - t0))^3), every N steps from t0 to t1; the N - round(S(t) N) weights with the largest s stay",
        Leaves = "movement.safetensors, in the time of one training",
        Example = [("net", "lenet300"), ("init", "runs/first/dense.safetensors"), ("sparsity", "0.95")],
        Settings = SettingFactory.As<Method, MovementPruning>(
        [
            .. GradualPruning.Settings.In<MovementPruning, GradualPruning>(m => m.Cuts, (m, v) => m with { Cuts = v })
                .Select(s => s.Key == "sparsity" ? s with { Get = m => SettingText.Text(m.EffectiveCuts.Sparsity) } : s),
            .. PruningParts.Settings.Where(s => s.Key != "score").In<MovementPruning, PruningParts>(m => m.Pruning, (m, v) => m with { Pruning = v }),
        ]),
        StartsDense = true,
    };

    /// <summary>How far it is pruned, and when.</summary>
    public GradualPruning Cuts { get; init; } = new();

    /// <summary>How many weights each layer keeps; its score does not count.</summary>
    public PruningParts Pruning { get; init; } = new();

    internal override MethodRow Row => s_row;

    internal override PruningParts Parts => Pruning;

    /// <summary>To the sparsity of the pattern, where it has one.</summary>
    private GradualPruning EffectiveCuts => Cuts with { Sparsity = Pruning.Target(Cuts.Sparsity) };

    internal override IEnumerable<PhasePlan> Phases(Recipe recipe, bool given) => [new(PhaseName, recipe.Epochs, recipe.LearningRate)];

    internal override IEnumerable<PhaseResult> Run(MethodRun run)
    {
        if (run.Given is null) run.Observer.OnNote(new("movement pruning was made for fine-tuning a trained network; from new weights, compare it with pruning by magnitude (gmp)."));
        PhasePlan phase = Phases(run.Recipe, given: false).Single();
        long steps = (long)phase.Epochs * run.StepsPerEpoch;
        var pruner = Pruning.CreatePruner(run.Model, new Accumulated());
        yield return run.Train(phase, new PolicySequence(new Movement(run.Model, pruner.Tensors, Cuts.Cadence(steps).Last), EffectiveCuts.Policy(pruner, steps, run.Observer.OnNote)));
    }

    internal override double? FinalSparsity(Recipe recipe) => EffectiveCuts.Sparsity;

    internal override Func<int, double>? PlannedSparsity(Recipe recipe, string phase) => phase == PhaseName ? EffectiveCuts.PlannedSparsity(recipe) : null;

    internal override void Validate(Recipe recipe)
    {
        Pruning.Validate();
        Cuts.Validate();
    }
}
