using Asni.Pruning;
using Asni.Settings;
using Asni.Training.Policies;

namespace Asni.Methods;

/// <summary>SR-STE (Zhou, Ma, Zhu, Liu, Zhang, Yuan, Sun, Li 2021, arXiv 2102.04010): trains a network with N of each M weights from the start, which ones is chosen anew at each step.</summary>
public sealed record SparseRefined : Method
{
    private const string PhaseName = "srste";

    private static readonly MethodRow s_row = new(PhaseName, "trains with N of each M weights, chosen anew at each step (SR-STE)", "Zhou et al. 2021, arXiv 2102.04010")
    {
        Formula = "the network computes with the N largest |w| of each M along a layer's inputs; all weights are updated by that gradient, with lambda w added for those left out; after a share of the run the mask stays",
        Leaves = "srste.safetensors, in little more than the time of one training",
        Example = [("net", "lenet300"), ("pattern", "2:4")],
        Settings = SettingFactory.As<Method, SparseRefined>(
        [
            PruningParts.Settings.First(s => s.Key == "pattern").In<SparseRefined>(m => m.Pruning, (m, p) => m with { Pruning = p }),
            SettingFactory.Number<SparseRefined>("penalty", "L2 penalty on the weights that are left out, lambda", m => m.Lambda, (m, v) => m with { Lambda = v }, "[0, inf)"),
            MarkedStart.CutSetting.In<SparseRefined>(m => new MarkedStart { Cut = m.Cut }, (m, s) => m with { Cut = s.Cut }),
        ]),
        StartsDense = true,
    };

    public PruningParts Pruning { get; init; } = new() { Pattern = WeightPattern.Parse("2:4") };

    public double Lambda { get; init; } = 2e-4;

    /// <summary>Share of the run after which the mask stays.</summary>
    public double Cut { get; init; } = 1;

    internal override MethodRow Row => s_row;

    internal override PruningParts Parts => Pruning;

    internal override IEnumerable<PhasePlan> Phases(Recipe recipe, bool given) => [new(PhaseName, recipe.Epochs, recipe.LearningRate)];

    internal override IEnumerable<PhaseResult> Run(MethodRun run)
    {
        Pruner pruner = Pruning.CreatePruner(run.Model, run.Recipe.Seed);
        var marks = new RefinedMarks(run.Model, pruner, Pruning.Target(0), Lambda, new MarkedStart { Cut = Cut }.Last(run), run.Observer.OnNote);
        yield return run.Train(Phases(run.Recipe, given: false).Single(), marks);
    }

    internal override void Validate(Recipe recipe)
    {
        Pruning.Validate();
        if (!Pruning.Pattern.HasSparsity) throw new UsageException("srste needs a pattern N:M, such as 2:4.");
    }

    internal override double? FinalSparsity(Recipe recipe) => Pruning.Target(0);
}
