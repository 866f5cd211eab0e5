using System.Collections.Immutable;
using Asni.Pruning;
using Asni.Settings;
using Asni.Training;
using Asni.Training.Policies;

namespace Asni.Methods;

/// <summary>Pruning along a cubic while a network trains, every so many steps between two times (Zhu, Gupta 2017, arXiv 1710.01878).</summary>
public sealed record GradualPruning
{
    /// <summary>Steps between prunings in the paper: 100 to 1,000. A training too short for so many prunings has shorter ones.</summary>
    private const int UsualSteps = 100, FewestPrunings = 20;

    /// <summary>Of the delivered network.</summary>
    public double Sparsity { get; init; } = 0.9;

    /// <summary>t0, a share of the run. The defaults are near those of STR's comparison on ImageNet: epochs 20 to 79 of 100 (Kusupati et al. 2020).</summary>
    public double Begin { get; init; } = 0.2;

    /// <summary>t1, a share of the run.</summary>
    public double End { get; init; } = 0.8;

    /// <summary>Steps between prunings; null for 100, or a 20th of the time from t0 to t1 where that is less.</summary>
    public int? EverySteps { get; init; }

    internal static ImmutableArray<Setting<GradualPruning>> Settings { get; } =
    [
        PruningOptions.SparsitySetting<GradualPruning>(p => p.Sparsity, (p, v) => p with { Sparsity = v }),
        SettingFactory.Number<GradualPruning>("prune-begin", "share of the run after which pruning begins (t0)", p => p.Begin, (p, v) => p with { Begin = v }, "[0, 1)"),
        SettingFactory.Number<GradualPruning>("prune-end", "share of the run after which the final sparsity is reached (t1)", p => p.End, (p, v) => p with { End = v }, "(0, 1]"),
        SettingFactory.Integer<GradualPruning>("prune-every", "prune every N steps (default: every 100, or a 20th of the pruning time if that is less)", p => p.EverySteps, (p, v) => p with { EverySteps = v }, "[1, inf)"),
    ];

    /// <param name="steps">Of the run.</param>
    internal Cadence Cadence(long steps)
    {
        long first = (long)Math.Round(Begin * steps), last = Math.Max(1, (long)Math.Round(End * steps));
        return new Cadence(EverySteps ?? (int)Math.Clamp((last - first) / FewestPrunings, 1, UsualSteps), first, last);
    }

    /// <param name="steps">Of the run.</param>
    internal PruneOnSchedule Policy(Pruner pruner, long steps, Action<TrainingNote> note) => Policy((_, sparsity) => pruner.PruneTo(sparsity, note), steps);

    /// <param name="prune">Prunes, in the step, to a sparsity.</param>
    /// <param name="steps">Of the run.</param>
    internal PruneOnSchedule Policy(Func<StepPoint, double, PruneOutcome> prune, long steps)
    {
        Cadence cadence = Cadence(steps);
        return new PruneOnSchedule(prune, Schedule((double)cadence.First / steps, (double)cadence.Last / steps), cadence);
    }

    /// <summary>An epoch trains under what was pruned to until its end.</summary>
    internal Func<int, double> PlannedSparsity(Recipe recipe) => e => Schedule(Begin, End).GetSparsity(e, recipe.Epochs);

    /// <exception cref="UsageException">It ends before it begins.</exception>
    internal void Validate()
    {
        if (!(Begin < End)) throw new UsageException($"prune-begin {SettingText.Text(Begin)} is not before prune-end {SettingText.Text(End)}.");
    }

    private CubicSchedule Schedule(double begin, double end) => new() { Final = Sparsity, Begin = begin, End = end };
}
