using Asni.Networks;
using Asni.Pruning;
using Asni.Settings;
using Asni.Tensors;

namespace Asni.Methods;

/// <summary>Which initial values the weights have when they are scored.</summary>
public enum ScoredValues
{
    /// <summary>Those that are trained.</summary>
    Same,
    /// <summary>Other random ones, as in the code that came with the paper: the mask then belongs to the network, not to its values.</summary>
    Other,
}

/// <summary>
/// Single-shot network pruning (Lee, Ajanthan, Torr 2019, arXiv 1810.02340): before training, the weights with the smallest |w dL/dw| over some images are pruned.
/// In rounds it is the iterative form, iterative SNIP, or where pruned weights may return FORCE (de Jorge et al. 2021, arXiv 2006.09081).
/// </summary>
public sealed record Snip : Method
{
    private const string PhaseName = "snip";

    private static readonly MethodRow s_row = new("snip", "prunes the untrained network by |w dL/dw| of a few images, then trains it", "Lee, Ajanthan, Torr 2019, arXiv 1810.02340")
    {
        Formula = """
            the K = N - round(S N) weights with the largest |w dL/dw| stay, L the mean cross-entropy of score-images images before training, batch-norm in evaluation mode;
            in n rounds: to K_i = N (K / N)^(i / n), scored again each time (iterative SNIP, de Jorge et al. 2021, arXiv 2006.09081);
            with revive of all weights, pruned ones by their initial w too, dL/dw that of the pruned network (FORCE)
            """,
        Leaves = "snip.safetensors, in the time of one training, and one for each control; the sparser, the faster",
        Example = [("net", "lenet300"), ("sparsity", "0.98"), ("mask-controls", "shuffle,reinit,invert")],
        Settings = SettingFactory.As<Method, Snip>(
        [
            .. InitialPruning.Settings.In<Snip, InitialPruning>(m => m.Pruning, (m, v) => m with { Pruning = v }),
            SettingFactory.Integer<Snip>("score-images", "images that weights are scored by", m => m.Images, (m, v) => m with { Images = v }, "[1, inf)"),
            SettingFactory.Integer<Snip>("rounds", "cuts, each after another scoring; 1 is the paper's", m => m.Rounds, (m, v) => m with { Rounds = v }, "[1, inf)"),
            SettingFactory.Switch<Snip>("revive", "a later round may keep what an earlier one has pruned, by its initial value (FORCE; its authors' examples have 60 rounds)",
                m => m.Revive, (m, v) => m with { Revive = v }) with { Needs = [new("rounds", "2 or more", m => m.Rounds > 1)] },
            SettingFactory.Choice<Snip, ScoredValues>("rescore-init", "initial values that are scored: same (those that are trained) or other (random ones of their own)",
                m => m.Scored, (m, v) => m with { Scored = v }),
        ]),
        StartsDense = true,
    };

    public InitialPruning Pruning { get; init; } = new();

    /// <summary>Images that weights are scored by; a batch in the paper.</summary>
    public int Images { get; init; } = 100;

    public int Rounds { get; init; } = 1;

    /// <summary>Pruned weights are scored and may return in the rounds that follow.</summary>
    public bool Revive { get; init; }

    public ScoredValues Scored { get; init; }

    internal override MethodRow Row => s_row;

    internal override IEnumerable<PhasePlan> Phases(Recipe recipe, bool given) => Pruning.Phases(PhaseName, recipe);

    internal override IEnumerable<PhaseResult> Run(MethodRun run)
    {
        ulong seed = run.Recipe.Seed;
        TrainedNetwork scored = Scored == ScoredValues.Same ? run.Initial : MethodRunner.CreateInitialWeights(run.Initial.Network, SplitMix64.Fork(seed, 11).NextUInt64());
        return Pruning.Run(run, PhaseName, cut =>
            cut.ByLoss(scored, ScoringImages.Draw(run.Data.Train, Images, seed), temperature: 1, Rounds, gradient => new Saliency(gradient, Revive), dense: Revive));
    }

    internal override double? FinalSparsity(Recipe recipe) => Pruning.Sparsity;
}
