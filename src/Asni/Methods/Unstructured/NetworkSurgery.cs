using Asni.Pruning;
using Asni.Settings;
using Asni.Training.Policies;

namespace Asni.Methods;

/// <summary>
/// Dynamic network surgery (Guo, Yao, Chen 2016, arXiv 1608.04493): weights are pruned and spliced back by magnitude while all of them are trained. In the paper the borders are set by mean and deviation
/// of each layer; here they lie around the K-th largest weight, so that exactly K are delivered.
/// </summary>
public sealed record NetworkSurgery : Method
{
    private const string PhaseName = "dns";

    private static readonly MethodRow s_row = new(PhaseName, "prunes weights and splices them back by magnitude, while all are trained (dynamic network surgery)", "Guo, Yao, Chen 2016, arXiv 1608.04493")
    {
        Formula = """
            the network computes with the marked weights and all are updated; with probability (1 + gamma t)^-power after t steps, marks go where |w| <= 0.9 c and come where |w| > 1.1 c, c the K-th largest |w| of all layers;
            after a share of the run the K = N - round(S N) largest |w| stay and are trained to the end
            """,
        Leaves = "dns.safetensors, in somewhat more than the time of one training",
        Example = [("net", "lenet300"), ("sparsity", "0.98")],
        Settings = SettingFactory.As<Method, NetworkSurgery>(
        [
            .. MarkedStart.Settings.Where(s => s.Key != "allocation").In<NetworkSurgery, MarkedStart>(m => m.Start, (m, v) => m with { Start = v }),
            SettingFactory.Number<NetworkSurgery>("surgery-gamma", "how fast marks settle, gamma", m => m.Gamma, (m, v) => m with { Gamma = v }, "[0, inf)"),
            SettingFactory.Number<NetworkSurgery>("surgery-power", "the power of that", m => m.Power, (m, v) => m with { Power = v }, "[0, inf)"),
        ]),
        StartsDense = true,
    };

    public MarkedStart Start { get; init; } = new() { Allocation = AllocationKind.Pooled };

    public double Gamma { get; init; } = 1e-4;

    public double Power { get; init; } = 1;

    internal override MethodRow Row => s_row;

    internal override IEnumerable<PhasePlan> Phases(Recipe recipe, bool given) => [new(PhaseName, recipe.Epochs, recipe.LearningRate)];

    internal override IEnumerable<PhaseResult> Run(MethodRun run)
    {
        var pruner = new Pruner(run.Model, new Magnitude(), new Pooled());
        yield return run.Train(Phases(run.Recipe, given: false).Single(), new Surgery(run.Model, pruner, Start.Sparsity, Start.Last(run), run.Recipe.Seed, (Gamma, Power), run.Observer.OnNote));
    }

    internal override double? FinalSparsity(Recipe recipe) => Start.Sparsity;
}
