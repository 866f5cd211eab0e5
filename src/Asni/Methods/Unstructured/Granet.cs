using Asni.Pruning;
using Asni.Settings;
using Asni.Training.Policies;

namespace Asni.Methods;

/// <summary>
/// GraNet, gradual pruning with zero-cost neuroregeneration (Liu et al. 2021, arXiv 2106.10404): every so many steps a pooled cut by magnitude along a cubic, from a random mask that is
/// less sparse or from all weights, and then in each layer RigL's exchange.
/// </summary>
public sealed record Granet : Method
{
    private const string PhaseName = "granet";

    /// <summary>Steps between exchanges of the authors' runs on CIFAR.</summary>
    private const int UsualSteps = 1000;

    /// <summary>What the share of weights that an exchange moves falls to.</summary>
    private const double FinalFraction = 0.005;

    private static readonly MethodRow s_row = new("granet", "prunes by magnitude along a cubic from a sparse start; weights with the largest gradient take the place of the smallest", "Liu et al. 2021, arXiv 2106.10404")
    {
        Formula = "every M steps after the update: the N - round(S(t) N) weights of largest |w| stay, S(t) = S + (S0 - S) (1 - (t - t0) / (t1 - t0))^3; then in each layer with L live weights n = floor(f(t) L) are exchanged as by rigl, f(t) falling along a cosine to 0.005",
        Leaves = "granet.safetensors, in less than the time of a dense training",
        Example = [("net", "lenet300"), ("sparsity", "0.95")],
        Settings = SettingFactory.As<Method, Granet>(
        [
            PruningOptions.SparsitySetting<Granet>(m => m.Sparsity, (m, v) => m with { Sparsity = v }),
            SettingFactory.Number<Granet>("start-sparsity", "sparsity of the random mask that training begins with; 0: all weights", m => m.StartSparsity, (m, v) => m with { StartSparsity = v }, "[0, 1)"),
            SparseStart.FanInSetting.In<Granet>(m => new SparseStart { FanIn = m.FanIn }, (m, v) => m with { FanIn = v.FanIn }),
            SparseStart.AllocationSetting.In<Granet>(m => new PruningParts { Allocation = m.Allocation }, (m, v) => m with { Allocation = v.Allocation })
                with { Summary = "how many weights each layer has at first: pooled (random weights of all layers), uniform (the same density) or erk" },
            SettingFactory.Number<Granet>("prune-begin", "share of the run after which pruning begins (t0)", m => m.Begin, (m, v) => m with { Begin = v }, "[0, 1)"),
            SettingFactory.Number<Granet>("prune-end", "share of the run after which the final sparsity is reached (t1)", m => m.PruneEnd, (m, v) => m with { PruneEnd = v }, "(0, 1]"),
            .. ExchangeSettings.Settings($"{UsualSteps}").In<Granet, ExchangeSettings>(m => m.Exchange, (m, v) => m with { Exchange = v }),
        ]),
        StartsDense = true,
    };

    /// <summary>Of the delivered network.</summary>
    public double Sparsity { get; init; } = 0.9;

    /// <summary>Of the mask that training begins with.</summary>
    public double StartSparsity { get; init; } = 0.5;

    /// <summary>Which share of each layer lives at first.</summary>
    public AllocationKind Allocation { get; init; } = AllocationKind.Erk;

    /// <summary>t0, a share of the run.</summary>
    public double Begin { get; init; }

    /// <summary>t1, a share of the run: epoch 110 of 160 in the authors' runs on CIFAR.</summary>
    public double PruneEnd { get; init; } = 0.6875;

    /// <inheritdoc cref="SparseStart.FanIn"/>
    public FanIn FanIn { get; init; }

    public ExchangeSettings Exchange { get; init; } = new() { Fraction = 0.5, End = 1 };

    internal override MethodRow Row => s_row;

    internal override IEnumerable<PhasePlan> Phases(Recipe recipe, bool given) => [new(PhaseName, recipe.Epochs, recipe.LearningRate)];

    internal override IEnumerable<PhaseResult> Run(MethodRun run)
    {
        new SparseStart { Sparsity = StartSparsity, Allocation = Allocation, FanIn = FanIn }.Prune(run);
        PhasePlan phase = Phases(run.Recipe, given: false).Single();
        long steps = (long)phase.Epochs * run.StepsPerEpoch, end = Math.Max(1, (long)Math.Round(PruneEnd * steps)), begin = (long)Math.Round(Begin * steps);
        Cadence exchanges = Exchange.Cadence(steps, UsualSteps, run.Observer.OnNote);
        // From a step of the exchanges on, and once more at its end, whatever step that is.
        int every = exchanges.EverySteps!.Value;
        var cuts = new Cadence(every, Math.Min(end, Math.Max(1, (begin + every - 1) / every) * every), end);
        var pruner = new PruningOptions().CreatePruner(run.Model, run.Recipe.Seed);
        yield return run.Train(phase, new PolicySequence(
            new PruneOnSchedule(pruner, Schedule((double)begin / steps, (double)end / steps), cuts, run.Observer.OnNote),
            new Exchange(run.Model, Growth.ByGradient, new ExchangeFraction(Exchange.Fraction, FinalFraction, Exchange.Last(steps)), exchanges) { FollowsCuts = true }));
    }

    internal override double? FinalSparsity(Recipe recipe) => Sparsity;

    /// <summary>An epoch trains under what was pruned to until its end.</summary>
    internal override Func<int, double>? PlannedSparsity(Recipe recipe, string phase) => phase == PhaseName ? e => Schedule(Begin, PruneEnd).GetSparsity(e, recipe.Epochs) : null;

    internal override void Validate(Recipe recipe)
    {
        if (!(Begin < PruneEnd)) throw new UsageException($"prune-begin {SettingText.Text(Begin)} is not before prune-end {SettingText.Text(PruneEnd)}.");
        if (StartSparsity > Sparsity) throw new UsageException($"start-sparsity {SettingText.Text(StartSparsity)} is more than the final sparsity {SettingText.Text(Sparsity)}.");
    }

    private CubicSchedule Schedule(double begin, double end) => new() { Initial = StartSparsity, Final = Sparsity, Begin = begin, End = end };
}
