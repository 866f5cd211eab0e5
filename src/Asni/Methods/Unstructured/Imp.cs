using System.Collections.Immutable;
using System.Globalization;
using Asni.Networks;
using Asni.Optimizers;
using Asni.Pruning;
using Asni.Settings;
using Asni.Training.Policies;

namespace Asni.Methods;

/// <summary>What a round of <see cref="Imp"/> goes back to before it trains what is left.</summary>
public enum RewindKind
{
    /// <summary>All values and the learning rate go back to a step of the first training (Frankle et al. 2020).</summary>
    Weights,
    /// <summary>Values stay, the learning rate goes back (Renda, Frankle, Carbin 2020).</summary>
    Rate,
    /// <summary>Values stay and are trained with the last learning rate (fine-tuning, Han et al. 2015).</summary>
    None,
}

/// <summary>
/// Iterative magnitude pruning with rewinding (Frankle, Carbin 2019, arXiv 1803.03635; Frankle, Dziugaite, Roy, Carbin 2020, arXiv 1912.05671; Renda, Frankle, Carbin 2020, arXiv
/// 2003.02389): dense training, then in each round a share of the live weights is pruned and what is left is trained again.
/// </summary>
public sealed record Imp : Method
{
    /// <summary>The results of each stay in memory and in the run folder until the run ends.</summary>
    private const int MostRounds = 100;

    /// <summary>Of the phases, before the number of the round.</summary>
    internal const string RoundName = "imp";

    private static readonly MethodRow s_row = new(RoundName, "prunes a share of the weights, rewinds and trains again, round after round (lottery tickets)",
        "Frankle, Carbin 2019, arXiv 1803.03635; rewinding: Frankle et al. 2020, arXiv 1912.05671, and Renda et al. 2020, arXiv 2003.02389")
    {
        Formula = """
            w_0 -> w_E by dense training; round r: the live weights with the smallest score go, K_r = K_(r-1) - round(share K_(r-1)), and K = N - round(S N) in the last round; then
            weights: w <- m * w_k, batch-norm statistics and biases too; rate: w stays; both train from step k to the end of the schedule; none: w stays, as many steps at the last rate
            """,
        Leaves = "dense.safetensors, unless a run that rewinds the rate or nothing starts from a trained network, and imp1.safetensors, imp2.safetensors, ... of each round; in the time of a training for each "
            + "(90 % in rounds of 20 %: 12)",
        Example = [("net", "lenet300"), ("sparsity", "0.9"), ("rewind", "weights"), ("rewind-epoch", "1")],
        Settings = SettingFactory.As<Method, Imp>(
        [
            PruningOptions.SparsitySetting<Imp>(m => m.Pruning.Target(m.Sparsity), (m, v) => m with { Sparsity = v }),
            SettingFactory.Number<Imp>("round-share", "share of the live weights that a round prunes (the last round: what the sparsity needs)", m => m.RoundShare, (m, v) => m with { RoundShare = v }, "[0.01, 1)"),
            SettingFactory.Choice<Imp, RewindKind>("rewind", "what goes back before a round trains: weights (and the learning rate), rate (the learning rate alone) or none (fine-tuning at the last learning rate)", m => m.Rewind, (m, v) => m with { Rewind = v }),
            SettingFactory.Integer<Imp>("rewind-epoch", "epoch of the first training to go back to (default: 0, its start)", m => m.RewindEpoch, (m, v) => m with { RewindEpoch = v }, "[0, inf)") with
            {
                YieldsTo = ("rewind-step", m => m with { RewindEpoch = null }),
                Stretch = (m, factor) => m with { RewindEpoch = m.RewindEpoch is { } epoch ? Stretched(epoch, factor) : null },
            },
            SettingFactory.Integer<Imp>("rewind-step", "step of the first training to go back to, in place of rewind-epoch", m => m.RewindStep, (m, v) => m with { RewindStep = v }, "[0, inf)")
                with { YieldsTo = ("rewind-epoch", m => m with { RewindStep = null }) },
            .. PruningParts.Settings.In<Imp, PruningParts>(m => m.Pruning, (m, v) => m with { Pruning = v }),
        ]),
        StartsDense = true,
    };

    /// <summary>Of the last round.</summary>
    public double Sparsity { get; init; } = 0.9;

    /// <summary>Of the weights that live, the share that a round prunes.</summary>
    public double RoundShare { get; init; } = 0.2;

    public RewindKind Rewind { get; init; }

    /// <summary>k in epochs; null for 0, or where <see cref="RewindStep"/> is given.</summary>
    public int? RewindEpoch { get; init; }

    /// <summary>k in steps; null where it is counted in epochs.</summary>
    public int? RewindStep { get; init; }

    public PruningParts Pruning { get; init; } = new();

    internal override MethodRow Row => s_row;

    internal override PruningParts Parts => Pruning;

    private TrainingTime RewindTime => new(RewindEpoch ?? 0, RewindStep ?? 0);

    private int Rounds => Pruning.Pattern is GroupPattern groups ? groups.Levels(RoundShare).Count() : CountRounds(Sparsity, RoundShare);

    /// <summary>A network that is given is what the first training starts from, or where weights do not go back, what it came to.</summary>
    internal override IEnumerable<PhasePlan> Phases(Recipe recipe, bool given)
    {
        if (TrainsDense(given)) yield return DenseTraining.Phase(recipe);
        for (int round = 1; round <= Rounds; round++) yield return RoundPhase(round, recipe);
    }

    internal override IEnumerable<PhaseResult> Run(MethodRun run)
    {
        long rewindStep = RewindTime.Steps(run.StepsPerEpoch), steps = (long)run.Recipe.Epochs * run.StepsPerEpoch;
        if (rewindStep >= steps) throw new UsageException($"rewind-step {rewindStep} is not before the end of a training of {steps} steps.");
        TrainedNetwork? initial = Rewind == RewindKind.Weights && rewindStep == 0 ? run.Model.TakeSnapshot() : null;
        TrainedNetwork trained;
        if (TrainsDense(run.Given is not null))
        {
            var keep = new TakeAtStep(rewindStep, () => run.RewindPoint = run.Model.TakeSnapshot().RequireFinite(DenseTraining.PhaseName));
            PhaseResult dense = DenseTraining.Train(run, Rewind == RewindKind.Weights && initial is null ? keep : null);
            yield return dense;
            trained = dense.Model;
        }
        else
        {
            trained = run.Model.TakeSnapshot();
        }
        var pruner = Pruning.CreatePruner(run.Model, run.Recipe.Seed);
        double[] sparsities = Sparsities(pruner.Total);
        for (int round = 1; round <= sparsities.Length; round++)
        {
            run.Model.Load(trained);
            pruner.PruneTo(sparsities[round - 1], run.Observer.OnNote);
            if (Rewind == RewindKind.Weights) run.Model.Load((initial ?? run.RewindPoint!) with { Masks = run.Model.TakeSnapshot().Masks });
            // Data come in the order of the first training where weights go back to it: only the mask differs.
            PhaseResult result = run.Train(RoundPhase(round, run.Recipe), stream: Rewind == RewindKind.Weights ? DenseTraining.Stream : null);
            yield return result;
            trained = result.Model;
        }
    }

    internal override void Validate(Recipe recipe)
    {
        Pruning.Validate();
        if (Rounds > MostRounds) throw new UsageException($"{Rounds} rounds are more than {MostRounds}: a sparsity of {SettingText.Text(Pruning.Target(Sparsity))} needs a round-share above {SettingText.Text(RoundShare)}.");
        if (RewindEpoch is not null && RewindStep is not null) throw new UsageException("rewind-epoch and rewind-step exclude each other.");
        if (RewindEpoch >= recipe.Epochs) throw new UsageException($"rewind-epoch {RewindEpoch} is not before the end of a training of {recipe.Epochs} epochs.");
    }

    internal override Method Explicit(Recipe recipe) => RewindEpoch is null && RewindStep is null ? this with { RewindEpoch = 0 } : this;

    internal override double? FinalSparsity(Recipe recipe) => Pruning.Target(Sparsity);

    /// <summary>True for "imp1", "imp2", ...</summary>
    internal static bool IsRound(string phase) => PhasePlan.IsNumbered(phase, RoundName);

    /// <summary>Rounds of this share until the sparsity is reached; at least 1.</summary>
    internal static int CountRounds(double sparsity, double share)
    {
        // 36 % in rounds of 20 % are two, whatever the last digits of the logarithms.
        const double tolerance = 1e-9;
        return Math.Max(1, (int)Math.Ceiling(Math.Log(1 - sparsity) / Math.Log(1 - share) - tolerance));
    }

    /// <summary>The weights that each round keeps.</summary>
    internal static long[] Levels(long total, double sparsity, double share)
    {
        var levels = new long[CountRounds(sparsity, share)];
        long last = Quota.At(sparsity, total), kept = total;
        for (int i = 0; i < levels.Length; i++) levels[i] = kept = i == levels.Length - 1 ? last : Math.Max(last, Quota.At(share, kept));
        return levels;
    }

    /// <summary>That each round prunes to; with a pattern N:M, of the groups of M.</summary>
    private double[] Sparsities(long total) => Pruning.Pattern is GroupPattern groups
        ? [.. groups.Levels(RoundShare).Select(kept => 1 - (double)kept / groups.Of)]
        : [.. Levels(total, Sparsity, RoundShare).Select(kept => 1 - (double)kept / total)];

    /// <summary>Rounded down, so that it stays before the end; but 0 is another method than an early epoch.</summary>
    internal static int Stretched(int epoch, double factor)
    {
        // 3 of 10 epochs are 3 of 10, whatever the last digits of the factor.
        const double tolerance = 1e-9;
        return epoch == 0 ? 0 : Math.Max(1, (int)Math.Floor(epoch * factor + tolerance));
    }

    private bool TrainsDense(bool given) => !given || Rewind == RewindKind.Weights;

    private PhasePlan RoundPhase(int round, Recipe recipe) => new($"{RoundName}{round}", recipe.Epochs, Rewind == RewindKind.None ? LastRate(recipe) : recipe.LearningRate) { Begin = RewindTime };

    private static LearningRate LastRate(Recipe recipe) => new() { Initial = recipe.LearningRate.GetRate(recipe.Epochs - 1, recipe.Epochs) };
}
