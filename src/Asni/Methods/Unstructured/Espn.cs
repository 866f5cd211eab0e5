using Asni.Devices;
using Asni.Pruning;
using Asni.Settings;
using Asni.Training.Policies;

namespace Asni.Methods;

/// <summary>
/// Extreme sparse pruning (Cho, Joshi, Hegde 2021, arXiv 2006.09680): each weight has a factor that is trained with it under an L1 penalty; once few factors are large, the K
/// largest stay. Here that and the training after it share one run.
/// </summary>
public sealed record Espn : Method
{
    private const string PhaseName = "espn";

    /// <summary>Factors above it count as large.</summary>
    private const float Large = 0.01f;

    private static readonly MethodRow s_row = new(PhaseName, "trains a factor for each weight under an L1 penalty; the largest factors stay", "Cho, Joshi, Hegde 2021, arXiv 2006.09680")
    {
        Formula = """
            the network computes with v = w m, with m = 1 at first; loss + alpha sum |m|; after the first epoch in which at most K of the |m| are above 0.01, at the latest after a share of the run,
            the K = N - round(S N) with the largest |m| stay, as w m, and are trained to the end
            """,
        Leaves = "espn.safetensors, in the time of one training",
        Example = [("net", "lenet300"), ("sparsity", "0.98")],
        Settings = SettingFactory.As<Method, Espn>(
        [
            PruningOptions.SparsitySetting<Espn>(m => m.Sparsity, (m, v) => m with { Sparsity = v }),
            SettingFactory.Number<Espn>("gate-penalty", "L1 penalty on factors, alpha", m => m.Penalty, (m, v) => m with { Penalty = v }, "[0, inf)"),
            SettingFactory.Number<Espn>("cut-latest", "share of the run after which the network is cut in any case", m => m.Latest, (m, v) => m with { Latest = v }, "(0, 1]"),
        ]),
        StartsDense = true,
    };

    public double Sparsity { get; init; } = 0.9;

    /// <summary>alpha.</summary>
    public double Penalty { get; init; } = 8e-5;

    public double Latest { get; init; } = 0.5;

    internal override MethodRow Row => s_row;

    internal override IEnumerable<PhasePlan> Phases(Recipe recipe, bool given) => [new(PhaseName, recipe.Epochs, recipe.LearningRate)];

    internal override IEnumerable<PhaseResult> Run(MethodRun run)
    {
        var map = new ElementMap(MapFunction.LinearGate, Penalty: (float)Penalty);
        long kept = Quota.At(Sparsity, run.Model.Network.WeightCount);
        var functions = new GateFunctions(_ => map, _ => map, (_, m) => MathF.Abs(m) - Large, at => run.Recipe.RuleAt(at));
        var factors = new GatedWeights(run.Model, functions, kept, run.Observer.OnNote);
        factors.Begin(_ => () => 1);
        int latest = Math.Max(1, (int)Math.Round(Latest * run.Recipe.Epochs));
        yield return run.Train(Phases(run.Recipe, given: false).Single(), new UntilCut(run.Model, factors, kept, latest));
    }

    internal override double? FinalSparsity(Recipe recipe) => Sparsity;
}
