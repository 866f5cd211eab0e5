using System.Collections.Immutable;
using Asni.Engine;
using Asni.Pruning;
using Asni.Settings;

namespace Asni.Methods;

/// <summary>Pruning of a trained network by the curvature of its loss: what the methods that do so have in common.</summary>
public sealed record CurvaturePruning
{
    private const int UsualCuts = 8;

    /// <summary>Of the network.</summary>
    public double Sparsity { get; init; } = 0.9;

    /// <summary>Each layer to the sparsity by itself, instead of one threshold over all.</summary>
    public bool Local { get; init; }

    /// <summary>Weights that each layer keeps whatever the threshold says (a layer with fewer keeps what it has); 0: no such floor.</summary>
    public int MinimumKept { get; init; }

    /// <summary>m, gradients that curvature is estimated by.</summary>
    public int Gradients { get; init; } = 64;

    /// <summary>Images of each gradient.</summary>
    public int GradientImages { get; init; } = 128;

    /// <summary>Cuts while the network trains, instead of before that training.</summary>
    public bool Gradual { get; init; }

    /// <summary>When it cuts then. The defaults are WoodFisher's: from epoch 1 to 40 of 100, every 5.</summary>
    public GradualPruning Cuts { get; init; } = new() { Begin = 0.01, End = 0.4 };

    /// <summary>Of the training after the cut.</summary>
    public Retraining Retraining { get; init; } = new();

    internal static ImmutableArray<Setting<CurvaturePruning>> Settings { get; } =
    [
        PruningOptions.SparsitySetting<CurvaturePruning>(m => m.Sparsity, (m, v) => m with { Sparsity = v }),
        .. PruningOptions.Settings.In<CurvaturePruning, PruningOptions>(m => m.Options, (m, v) => m with { Local = v.Local, MinimumKept = v.MinimumKept }).Where(s => s.Key != "prune-biases"),
        SettingFactory.Integer<CurvaturePruning>("gradients", "m, gradients of small batches that curvature is estimated by", m => m.Gradients, (m, v) => m with { Gradients = v }, "[1, 100000]"),
        SettingFactory.Integer<CurvaturePruning>("gradient-images", "images of each of these gradients", m => m.GradientImages, (m, v) => m with { GradientImages = v }, "[1, inf)"),
        SettingFactory.Switch<CurvaturePruning>("gradual", "cut along a cubic while the network trains, by curvature anew each time, instead of before (WoodFisher's gradual pruning)", m => m.Gradual, (m, v) => m with { Gradual = v }),
        .. GradualPruning.Settings.In<CurvaturePruning, GradualPruning>(m => m.Cuts, (m, v) => m with { Cuts = v }).Where(s => s.Key != "sparsity"),
        .. Retraining.Settings.In<CurvaturePruning, Retraining>(m => m.Retraining, (m, v) => m with { Retraining = v }),
    ];

    /// <summary>To the sparsity of the method.</summary>
    private GradualPruning EffectiveCuts => Cuts with { Sparsity = Sparsity };

    internal PruningOptions Options => new() { Local = Local, MinimumKept = MinimumKept };

    /// <summary>Trains densely unless a network was given, prunes, and trains what stays; or prunes in that training.</summary>
    /// <param name="score">Made of the gradients of small batches of training images, batch-norm in evaluation mode.</param>
    /// <param name="compensate">Called after each cut.</param>
    internal IEnumerable<PhaseResult> Run<TScore>(MethodRun run, string name, int rounds, Func<IReadOnlyList<IGradient>, TScore> score, Action<TScore, Model> compensate) where TScore : class, IScore =>
        Retraining.RunAfterDense(run, name, model =>
        {
            var cuts = new CurvatureCuts<TScore>(this, run, model, score, compensate);
            long steps = (long)Retraining.Phase(name, run.Recipe).Epochs * run.StepsPerEpoch;
            if (Gradual) return Gradually(steps).Policy(cuts.PruneWithin, steps);
            cuts.Prune(CutRounds.Sparsities(Sparsity, rounds), run.Recipe.Seed, run.Cancellation);
            return null;
        });

    internal Func<int, double>? PlannedSparsity(Recipe recipe, string name, string phase) =>
        Gradual && phase == name ? EffectiveCuts.PlannedSparsity(recipe with { Epochs = Retraining.Phase(name, recipe).Epochs }) : null;

    /// <summary>Why a setting changes nothing; null when it counts.</summary>
    /// <param name="given">The run starts from a network.</param>
    internal string? Ignores(string setting, Recipe recipe, bool given) => setting switch
    {
        "prune-begin" or "prune-end" or "prune-every" when !Gradual => "without gradual all is cut before the training",
        "rounds" when Gradual => "gradual cuts by prune-every",
        _ => Retraining.Ignores(setting, recipe, alone: given),
    };

    /// <summary>Curvature is dear: where no number of steps is given, there are a few cuts.</summary>
    private GradualPruning Gradually(long steps) => EffectiveCuts with { EverySteps = Cuts.EverySteps ?? (int)Math.Max(1, Math.Ceiling(steps * (Cuts.End - Cuts.Begin) / UsualCuts)) };

    /// <exception cref="UsageException">More images than can be counted, or cuts that end before they begin.</exception>
    internal void Validate()
    {
        if (Gradual) Cuts.Validate();
        if ((long)Gradients * GradientImages > int.MaxValue)
            throw new UsageException($"{Gradients} gradients of {GradientImages} images are more than {int.MaxValue} images; choose fewer.");
    }
}
