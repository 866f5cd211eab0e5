using System.Collections.Immutable;
using Asni.Pruning;
using Asni.Settings;
using Asni.Training.Policies;

namespace Asni.Methods;

/// <summary>
/// AC/DC (Peste, Iofinova, Vladu, Alistarh 2021, arXiv 2106.12379): one training in which the network is pruned by magnitude and made dense again in turn, and is sparse at the end.
/// </summary>
public sealed record Acdc : Method
{
    private const string PhaseName = "acdc", TimesInWords = "an odd number of shares of the run in ascending order, such as 0.1,0.5,0.8";

    /// <summary>Of 100 epochs on ImageNet: dense for 10, then 5 sparse and 5 dense until 75, dense until 85, sparse to the end.</summary>
    private static readonly ImmutableArray<double> s_published = [0.1, 0.15, 0.2, 0.25, 0.3, 0.35, 0.4, 0.45, 0.5, 0.55, 0.6, 0.65, 0.7, 0.75, 0.85];

    private static readonly MethodRow s_row = new("acdc", "trains sparse and dense in turn, pruned by magnitude each time (AC/DC)", "Peste, Iofinova, Vladu, Alistarh 2021, arXiv 2106.12379")
    {
        Formula = """
            at the 1st, 3rd, ... time the K = N - round(S N) weights with the largest score (|w|, or random) stay; at the 2nd, 4th, ... all weights live again, from 0, with optimizer state 0;
            the last time prunes, and what stays is trained to the end
            """,
        Leaves = "acdc.safetensors, in the time of one training",
        Example = [("net", "lenet300"), ("sparsity", "0.95")],
        Settings = SettingFactory.As<Method, Acdc>(
        [
            PruningOptions.SparsitySetting<Acdc>(m => m.Pruning.Target(m.Sparsity), (m, v) => m with { Sparsity = v }),
            new("alternate", "shares of the run after which the network is pruned, made dense, pruned, ...: an odd number of them", (m, text) => m with { Times = Parse(text) },
                m => string.Join(',', m.Times.Select(SettingText.Text))) { Values = TimesInWords },
            .. PruningParts.Settings.In<Acdc, PruningParts>(m => m.Pruning, (m, v) => m with { Pruning = v }),
        ]),
        StartsDense = true,
    };

    /// <summary>Of the sparse parts, and of the delivered network.</summary>
    public double Sparsity { get; init; } = 0.9;

    /// <summary>Shares of the run, in ascending order, at which it becomes sparse, dense, sparse, ...; an odd number of them.</summary>
    public ImmutableArray<double> Times { get; init; } = s_published;

    public PruningParts Pruning { get; init; } = new();

    internal override MethodRow Row => s_row;

    internal override PruningParts Parts => Pruning;

    internal override IEnumerable<PhasePlan> Phases(Recipe recipe, bool given) => [new(PhaseName, recipe.Epochs, recipe.LearningRate)];

    internal override IEnumerable<PhaseResult> Run(MethodRun run)
    {
        var policy = new Alternate(Pruning.CreatePruner(run.Model, run.Recipe.Seed), Pruning.Target(Sparsity), Times, run.Observer.OnNote);
        yield return run.Train(Phases(run.Recipe, given: false).Single(), policy);
    }

    internal override double? FinalSparsity(Recipe recipe) => Pruning.Target(Sparsity);

    /// <summary>At the end of an epoch, before what changes between epochs.</summary>
    internal override Func<int, double>? PlannedSparsity(Recipe recipe, string phase)
    {
        const double tolerance = 1e-9;
        return phase == PhaseName ? e => Times.Count(t => t * recipe.Epochs < e + 1 - tolerance) % 2 == 1 ? Pruning.Target(Sparsity) : 0 : null;
    }

    internal override void Validate(Recipe recipe) => Pruning.Validate();

    private static ImmutableArray<double> Parse(string text)
    {
        ImmutableArray<double> times = [.. SettingText.List(text).Select(SettingText.Number)];
        if (times.Length % 2 == 0 || !(times[0] > 0) || !(times[^1] < 1) || times.Zip(times.Skip(1)).Any(pair => !(pair.First < pair.Second))) throw new FormatException(TimesInWords);
        return times;
    }
}
