using System.Collections.Immutable;
using Asni.Pruning;
using Asni.Settings;
using Asni.Training.Policies;

namespace Asni.Methods;

/// <summary>
/// ISS-P, iterative soft shrinkage percentage (Zhang, Gao, Fang, Zhao, Zhang, Yang 2023, arXiv 2303.09650), on classification: published for super-resolution alone. The smallest weights of each
/// layer shrink at every step, so that others may still overtake them; then they are pruned.
/// </summary>
public sealed record SoftShrinkage : Method
{
    private const string PhaseName = "issp";

    private static readonly MethodRow s_row = new(PhaseName, "shrinks the smallest weights of each layer at every step, then prunes them (iterative soft shrinkage)", "Zhang et al. 2023, arXiv 2303.09650")
    {
        Formula = "after each update the S n smallest |w| of the n weights of a layer are multiplied by r; after a share of the run the K = N - round(S N) that remain are kept and trained to the end",
        Leaves = "issp.safetensors, in somewhat more than the time of one training",
        Example = [("net", "lenet300"), ("sparsity", "0.95")],
        Settings = SettingFactory.As<Method, SoftShrinkage>(
        [
            .. MarkedStart.Settings.In<SoftShrinkage, MarkedStart>(m => m.Start, (m, v) => m with { Start = v }),
            SettingFactory.Number<SoftShrinkage>("shrink-ratio", "factor of the smallest weights after each step, r: 1 leaves them, 0 makes them 0", m => m.Ratio, (m, v) => m with { Ratio = v }, "[0, 1]"),
        ]),
        StartsDense = true,
    };

    public MarkedStart Start { get; init; } = new();

    /// <summary>r.</summary>
    public double Ratio { get; init; } = 0.95;

    internal override MethodRow Row => s_row;

    internal override IEnumerable<PhasePlan> Phases(Recipe recipe, bool given) => [new(PhaseName, recipe.Epochs, recipe.LearningRate)];

    internal override IEnumerable<PhaseResult> Run(MethodRun run)
    {
        yield return run.Train(Phases(run.Recipe, given: false).Single(), new Shrinkage(run.Model, Start.Pruner(run), Start.Sparsity, Ratio, Start.Last(run), run.Observer.OnNote));
    }

    internal override double? FinalSparsity(Recipe recipe) => Start.Sparsity;
}
