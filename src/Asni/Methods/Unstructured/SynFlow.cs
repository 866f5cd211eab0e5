using System.Collections.Immutable;
using Asni.Engine;
using Asni.Networks.Rewriting;
using Asni.Pruning;
using Asni.Settings;
using Asni.Tensors;

namespace Asni.Methods;

/// <summary>
/// Iterative synaptic flow pruning (Tanaka, Kunin, Yamins, Ganguli 2020, arXiv 2006.05467): before training and without data, weights are pruned by what flows through them, in
/// many rounds, so that no layer runs empty.
/// </summary>
public sealed record SynFlow : Method
{
    private const string PhaseName = "synflow";

    private static readonly MethodRow s_row = new("synflow", "prunes the untrained network without data, by what flows through each weight, then trains it",
        "Tanaka, Kunin, Yamins, Ganguli 2020, arXiv 2006.05467")
    {
        Formula = """
            R = the sum of the logits of an image of ones, with |w| for w, no biases, no batch-norm, ReLU for every activation;
            for i = 1 ... n: the N (K / N)^(i / n) weights with the largest |w| dR/d|w| stay, K = N - round(S N)
            """,
        Leaves = "synflow.safetensors, in the time of one training, and one for each control; the sparser, the faster",
        Example = [("net", "lenet300"), ("sparsity", "0.98"), ("mask-controls", "shuffle,reinit,invert")],
        Settings = SettingFactory.As<Method, SynFlow>(
        [
            .. InitialPruning.Settings.In<SynFlow, InitialPruning>(m => m.Pruning, (m, v) => m with { Pruning = v }),
            SettingFactory.Integer<SynFlow>("rounds", "cuts, each after another scoring", m => m.Rounds, (m, v) => m with { Rounds = v }, "[1, inf)"),
        ]),
        StartsDense = true,
    };

    public InitialPruning Pruning { get; init; } = new();

    public int Rounds { get; init; } = 100;

    internal override MethodRow Row => s_row;

    internal override IEnumerable<PhasePlan> Phases(Recipe recipe, bool given) => Pruning.Phases(PhaseName, recipe);

    internal override IEnumerable<PhaseResult> Run(MethodRun run) => Pruning.Run(run, PhaseName, Prune);

    internal override double? FinalSparsity(Recipe recipe) => Pruning.Sparsity;

    private ImmutableArray<Mask?> Prune(InitialCut cut)
    {
        Networks.TrainedNetwork initial = cut.Run.Initial;
        RewrittenNetwork flow = SynapticFlow.NetworkOf(initial.Network);
        using var model = new Model(flow.Network, cut.Run.Device);
        model.Load(SynapticFlow.Magnitudes(flow.Carry(initial)));
        using var score = new SynapticFlow(model);
        ImmutableArray<Mask?> pruned = cut.Prune(model, score, Rounds);
        var masks = new Mask?[initial.Network.Parameters.Length];
        foreach ((ParameterSource source, Mask? mask) in flow.Sources.Zip(pruned)) masks[source.Parameter.Index] = mask;
        return [.. masks];
    }
}
