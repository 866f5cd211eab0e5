using System.Collections.Immutable;
using Asni.Engine;
using Asni.Pruning;
using Asni.Settings;

namespace Asni.Methods;

/// <summary>Pruning of a trained network by the curvature of its loss: what the methods that do so have in common.</summary>
public sealed record CurvaturePruning
{
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

    /// <summary>Of the training after the cut.</summary>
    public Retraining Retraining { get; init; } = new();

    internal static ImmutableArray<Setting<CurvaturePruning>> Settings { get; } =
    [
        PruningOptions.SparsitySetting<CurvaturePruning>(m => m.Sparsity, (m, v) => m with { Sparsity = v }),
        .. PruningOptions.Settings.In<CurvaturePruning, PruningOptions>(m => m.Options, (m, v) => m with { Local = v.Local, MinimumKept = v.MinimumKept }).Where(s => s.Key != "prune-biases"),
        SettingFactory.Integer<CurvaturePruning>("gradients", "m, gradients of small batches that curvature is estimated by", m => m.Gradients, (m, v) => m with { Gradients = v }, "[1, 100000]"),
        SettingFactory.Integer<CurvaturePruning>("gradient-images", "images of each of these gradients", m => m.GradientImages, (m, v) => m with { GradientImages = v }, "[1, inf)"),
        .. Retraining.Settings.In<CurvaturePruning, Retraining>(m => m.Retraining, (m, v) => m with { Retraining = v }),
    ];

    private PruningOptions Options => new() { Local = Local, MinimumKept = MinimumKept };

    /// <summary>Trains densely unless a network was given, prunes, and trains what stays.</summary>
    /// <param name="score">Made of the gradients of small batches of training images, batch-norm in evaluation mode.</param>
    /// <param name="compensate">Called after each cut.</param>
    internal IEnumerable<PhaseResult> Run<TScore>(MethodRun run, string name, int rounds, Func<IReadOnlyList<IGradient>, TScore> score, Action<TScore, Model> compensate) where TScore : IScore =>
        Retraining.RunAfterDense(run, name, model =>
        {
            var images = ScoringImages.DrawRepeatedly(run.Data.Train, checked(Gradients * GradientImages), run.Recipe.Seed);
            using var gradient = new LossGradient(model, images, GradientImages, meanOver: GradientImages) { Cancellation = run.Cancellation };
            TScore worth = score(gradient.Batches);
            var pruner = new Pruner(model, worth, Options.NewAllocation());
            foreach (double sparsity in CutRounds.Sparsities(Sparsity, rounds))
            {
                pruner.PruneTo(sparsity, run.Observer.OnNote);
                compensate(worth, model);
            }
        });

    /// <exception cref="UsageException">More images than can be counted.</exception>
    internal void Validate()
    {
        if ((long)Gradients * GradientImages > int.MaxValue)
            throw new UsageException($"{Gradients} gradients of {GradientImages} images are more than {int.MaxValue} images; choose fewer.");
    }
}
