using Asni.Pruning;
using Asni.Settings;

namespace Asni.Methods;

/// <summary>Gradient signal preservation (Wang, Zhang, Grosse 2020, arXiv 2002.07376): before training, the weights whose removal costs the gradient least are pruned.</summary>
public sealed record Grasp : Method
{
    private const string PhaseName = "grasp";

    private static readonly MethodRow s_row = new("grasp", "prunes the untrained network so that its gradient stays large, then trains it", "Wang, Zhang, Grosse 2020, arXiv 2002.07376")
    {
        Formula = """
            the K = N - round(S N) weights with the largest w (H g) stay: g and H the first and second derivatives of the mean cross-entropy of logits / T over images of
            all classes, before training, batch-norm in evaluation mode; H g = (g(w + e g) - g(w - e g)) / 2e with e = 3e-4 (1 + |w|) / |g|
            """,
        Leaves = "grasp.safetensors, in the time of one training, and one for each control; the sparser, the faster",
        Example = [("net", "lenet300"), ("sparsity", "0.98"), ("mask-controls", "shuffle,reinit,invert")],
        Settings = SettingFactory.As<Method, Grasp>(
        [
            .. InitialPruning.Settings.In<Grasp, InitialPruning>(m => m.Pruning, (m, v) => m with { Pruning = v }),
            SettingFactory.Integer<Grasp>("images-per-class", "images of each class that weights are scored by; more make the score depend less on which they are",
                m => m.ImagesPerClass, (m, v) => m with { ImagesPerClass = v }, "[1, inf)"),
            SettingFactory.Number<Grasp>("temperature", "T, that logits are divided by for the score", m => m.Temperature, (m, v) => m with { Temperature = v }, "(0, inf)"),
        ]),
        StartsDense = true,
    };

    public InitialPruning Pruning { get; init; } = new();

    public int ImagesPerClass { get; init; } = 10;

    /// <summary>T. 200 in the code that came with the paper.</summary>
    public double Temperature { get; init; } = 200;

    internal override MethodRow Row => s_row;

    internal override IEnumerable<PhasePlan> Phases(Recipe recipe, bool given) => Pruning.Phases(PhaseName, recipe);

    internal override IEnumerable<PhaseResult> Run(MethodRun run)
    {
        SecondDerivatives.RequireFullPrecision(run.Device, Name);
        return Pruning.Run(run, PhaseName, cut =>
            cut.ByLoss(run.Initial, ScoringImages.DrawPerClass(run.Data.Train, ImagesPerClass, run.Recipe.Seed), Temperature, rounds: 1, gradient => new GradientFlow(gradient)));
    }

    internal override double? FinalSparsity(Recipe recipe) => Pruning.Sparsity;
}
