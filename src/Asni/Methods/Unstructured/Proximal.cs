using Asni.Settings;
using Asni.Training.Policies;

namespace Asni.Methods;

/// <summary>
/// L1 by proximal gradient descent: after every update all weights move towards 0 by lr lambda and stop there, so that many are exactly 0; then a cut, and training of what stays
/// without the penalty (Parikh, Boyd 2014, Proximal Algorithms, section 4.2).
/// </summary>
public sealed record Proximal : Method
{
    private const string PhaseName = "proximal";

    private static readonly MethodRow s_row = new("proximal", "trains with an L1 penalty as a soft threshold after each step, prunes and trains what stays (proximal gradient descent)", "Parikh, Boyd 2014, Proximal Algorithms")
    {
        Formula = "after each update w <- sign(w) max(0, |w| - lr lambda); at the end the K = N - round(S N) weights of largest |w| stay, or those that are not 0, and are trained again",
        Leaves = "learned.safetensors, trained with the penalty, and proximal.safetensors; in the time of two trainings",
        Example = [("net", "lenet300"), ("sparsity", "0.95")],
        Settings = SettingFactory.As<Method, Proximal>(
        [
            .. SparseFinish.Settings.In<Proximal, SparseFinish>(m => m.Finish, (m, v) => m with { Finish = v }),
            SettingFactory.Number<Proximal>("lambda", "factor of the L1 penalty", m => m.Lambda, (m, v) => m with { Lambda = v }, "[0, inf)"),
        ]),
        StartsDense = true,
    };

    public SparseFinish Finish { get; init; } = new();

    /// <summary>Ours: it depends on network, data and optimizer.</summary>
    public double Lambda { get; init; } = 3e-4;

    internal override MethodRow Row => s_row;

    internal override IEnumerable<PhasePlan> Phases(Recipe recipe, bool given) => Finish.Phases(PhaseName, recipe);

    internal override IEnumerable<PhaseResult> Run(MethodRun run) =>
        Finish.Run(run, PhaseName, new SoftThresholding(run.Model, run.Recipe.LearningRate, Lambda, new FloorCut(run.Model, floor: 0, Finish.Least(run), Finish.NotesOfLearned(run))));

    internal override double? FinalSparsity(Recipe recipe) => Finish.FinalSparsity;

    internal override Method Explicit(Recipe recipe) => this with { Finish = Finish.Explicit(recipe) };

    internal override string? Ignores(string setting, Recipe recipe, bool given) => Finish.Ignores(setting, recipe);
}
