using Asni.Pruning;
using Asni.Settings;
using Asni.Training.Policies;

namespace Asni.Methods;

/// <summary>
/// Early-bird tickets (You et al. 2020, arXiv 1909.11957) of single weights: one training in which the network is pruned by magnitude, once, as soon as the mask that this would leave no longer changes
/// from epoch to epoch. The paper's own form, of channels, removes units.
/// </summary>
public sealed record EarlyBird : Method
{
    private const string PhaseName = "earlybird";

    /// <summary>Masks that are compared in the paper's code.</summary>
    private const int ComparedMasks = 5;

    private static readonly MethodRow s_row = new("earlybird", "prunes once by magnitude, as soon as the mask stops changing, and trains on (early-bird tickets)", "You et al. 2020, arXiv 1909.11957, for single weights")
    {
        Formula = """
            after each epoch m = the K = N - round(S N) weights of largest |w|; when m differs from each of the last 4 by less than mask-distance, 1 - |m and m'| / K, only m stays and is trained to the end
            """,
        Leaves = "earlybird.safetensors, in the time of one training; the earlier the mask settles, the faster",
        Example = [("net", "lenet300"), ("sparsity", "0.9")],
        Settings = SettingFactory.As<Method, EarlyBird>(
        [
            PruningOptions.SparsitySetting<EarlyBird>(m => m.Sparsity, (m, v) => m with { Sparsity = v }),
            SettingFactory.Number<EarlyBird>("mask-distance", "share of the kept weights that may be others than in each of the last 4 epochs when the network is pruned", m => m.Distance, (m, v) => m with { Distance = v }, "(0, 1]"),
            .. PruningOptions.Settings.In<EarlyBird, PruningOptions>(m => m.Options, (m, v) => m with { Local = v.Local, MinimumKept = v.MinimumKept }).Where(s => s.Key != "prune-biases"),
        ]),
        StartsDense = true,
    };

    /// <summary>Of the delivered network.</summary>
    public double Sparsity { get; init; } = 0.9;

    /// <summary>Below which two masks count as the same: 0.1 of the channels in the paper.</summary>
    public double Distance { get; init; } = 0.1;

    /// <summary>Each layer to the sparsity by itself, instead of one threshold over all.</summary>
    public bool Local { get; init; }

    /// <summary>Weights that each layer keeps whatever the threshold says (a layer with fewer keeps what it has); 0: no such floor.</summary>
    public int MinimumKept { get; init; }

    internal override MethodRow Row => s_row;

    private PruningOptions Options => new() { Local = Local, MinimumKept = MinimumKept };

    internal override IEnumerable<PhasePlan> Phases(Recipe recipe, bool given) => [new(PhaseName, recipe.Epochs, recipe.LearningRate)];

    internal override IEnumerable<PhaseResult> Run(MethodRun run)
    {
        Pruner pruner = Options.CreatePruner(run.Model, run.Recipe.Seed);
        var policy = new PruneWhenSettled(run.Model, pruner, Sparsity, new MaskHistory(ComparedMasks, Distance), run.Observer.OnNote);
        yield return run.Train(Phases(run.Recipe, given: false).Single(), policy);
    }

    internal override double? FinalSparsity(Recipe recipe) => Sparsity;
}
