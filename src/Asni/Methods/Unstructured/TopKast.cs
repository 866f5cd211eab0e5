using Asni.Settings;
using Asni.Training.Policies;

namespace Asni.Methods;

/// <summary>
/// Top-KAST (Jayakumar, Pascanu, Rae, Osindero, Elsen 2020, arXiv 2106.03517): the network computes with the largest weights of each layer and updates somewhat more of them; the others keep their values.
/// </summary>
public sealed record TopKast : Method
{
    private const string PhaseName = "topkast";

    private static readonly MethodRow s_row = new(PhaseName, "computes with the largest weights of each layer and updates somewhat more (Top-KAST)", "Jayakumar et al. 2020, arXiv 2106.03517")
    {
        Formula = """
            the network computes with A, the largest |w| of each layer at the sparsity S, and updates B, those at the backward sparsity; gradient + lambda w on A, + lambda w / (1 - S) on the rest of B;
            after a share of the run A stays and is trained to the end
            """,
        Leaves = "topkast.safetensors, in somewhat more than the time of one training",
        Example = [("net", "lenet300"), ("sparsity", "0.9")],
        Settings = SettingFactory.As<Method, TopKast>(
        [
            .. MarkedStart.Settings.In<TopKast, MarkedStart>(m => m.Start, (m, v) => m with { Start = v }),
            SettingFactory.Number<TopKast>("backward-sparsity", "share of the weights that is not updated (default: 0.8, or what lets twice as many be updated as are computed with)", m => m.Backward, (m, v) => m with { Backward = v }, "[0, 1)"),
            SettingFactory.Number<TopKast>("penalty", "L2 penalty that moves weights between the sets, lambda", m => m.Lambda, (m, v) => m with { Lambda = v }, "[0, inf)"),
        ]),
        StartsDense = true,
    };

    public MarkedStart Start { get; init; } = new();

    /// <summary>1 - D - M; null for 0.8, or less where the sparsity is below 0.9.</summary>
    public double? Backward { get; init; }

    public double Lambda { get; init; } = 1e-4;

    internal override MethodRow Row => s_row;

    internal override IEnumerable<PhasePlan> Phases(Recipe recipe, bool given) => [new(PhaseName, recipe.Epochs, recipe.LearningRate)];

    internal override IEnumerable<PhaseResult> Run(MethodRun run)
    {
        var sets = new TwoSets(run.Model, Start.Pruner(run), Start.Sparsity, BackwardSparsity, Lambda, Start.Last(run), run.Observer.OnNote);
        yield return run.Train(Phases(run.Recipe, given: false).Single(), sets);
    }

    internal override void Validate(Recipe recipe)
    {
        if (BackwardSparsity > Start.Sparsity) throw new UsageException($"backward-sparsity {SettingText.Text(BackwardSparsity)} is above the sparsity {SettingText.Text(Start.Sparsity)}: weights that are computed with are updated too.");
    }

    internal override double? FinalSparsity(Recipe recipe) => Start.Sparsity;

    internal override Method Explicit(Recipe recipe) => this with { Backward = BackwardSparsity };

    private double BackwardSparsity => Backward ?? Math.Max(0, Math.Min(0.8, 2 * Start.Sparsity - 1));
}
