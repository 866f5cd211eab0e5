using System.Collections.Immutable;
using Asni.Engine;
using Asni.Networks;
using Asni.Pruning;
using Asni.Settings;
using Asni.Tensors;
using Asni.Training;

namespace Asni.Methods;

/// <summary>Control runs beside pruning at initialization, to show what the mask is worth (Frankle, Dziugaite, Roy, Carbin 2021, arXiv 2009.08576).</summary>
[Flags]
public enum InitialControls
{
    None = 0,
    /// <summary>The mask shuffled within each layer, under the same initial values.</summary>
    Shuffle = 1,
    /// <summary>The mask under new initial values.</summary>
    Reinit = 2,
    /// <summary>The mask that keeps the smallest scores, under the same initial values.</summary>
    Invert = 4,
}

/// <summary>Pruning before training: what the methods that do so have in common. The weights that stay are trained from their untouched initial values.</summary>
public sealed record InitialPruning
{
    private static readonly InitialControls[] s_each = [InitialControls.Shuffle, InitialControls.Reinit, InitialControls.Invert];

    /// <summary>Of the network.</summary>
    public double Sparsity { get; init; } = 0.9;

    /// <summary>Each layer to the sparsity by itself, instead of one threshold over all.</summary>
    public bool Local { get; init; }

    /// <summary>Weights that each layer keeps whatever the threshold says (a layer with fewer keeps what it has); 0: no such floor.</summary>
    public int MinimumKept { get; init; }

    public InitialControls Controls { get; init; }

    internal static ImmutableArray<Setting<InitialPruning>> Settings { get; } =
    [
        PruningOptions.SparsitySetting<InitialPruning>(m => m.Sparsity, (m, v) => m with { Sparsity = v }),
        .. PruningOptions.Settings.In<InitialPruning, PruningOptions>(m => m.Options, (m, v) => m with { Local = v.Local, MinimumKept = v.MinimumKept }).Where(s => s.Key != "prune-biases"),
        new("mask-controls", "control runs after it: shuffle,reinit,invert", (m, t) => m with { Controls = Parse(t) }, m => Text(m.Controls)) { Values = SettingText.Choices<InitialControls>() },
    ];

    internal PruningOptions Options => new() { Local = Local, MinimumKept = MinimumKept };

    /// <summary>The names of the control phases.</summary>
    internal static IEnumerable<string> ControlNames => s_each.Select(c => SettingText.Name(c));

    /// <summary>The method's own phase, then its controls.</summary>
    internal IEnumerable<PhasePlan> Phases(string name, Recipe recipe) => [.. Names(Controls).Prepend(name).Select(n => new PhasePlan(n, recipe.Epochs, recipe.LearningRate))];

    /// <summary>Prunes and trains, then the controls.</summary>
    /// <param name="prune">Makes the masks.</param>
    internal IEnumerable<PhaseResult> Run(MethodRun run, string name, Func<InitialCut, ImmutableArray<Mask?>> prune)
    {
        var cut = new InitialCut(run, this, Inverted: false);
        TrainedNetwork initial = run.Initial;
        // Of a run that is resumed after its first phase, the masks that were delivered: the controls belong to these.
        ImmutableArray<Mask?> masks = run.Delivered(name)?.Masks ?? prune(cut);
        foreach (PhasePlan phase in Phases(name, run.Recipe))
        {
            TrainedNetwork start = phase.Name == name ? initial with { Masks = masks } : SettingText.Choice<InitialControls>(phase.Name) switch
            {
                InitialControls.Shuffle => initial with { Masks = Shuffled(masks, run.Recipe.Seed) },
                InitialControls.Reinit => Methods.Controls.FromReinit(run.Recipe.Seed, initial with { Masks = masks }),
                InitialControls.Invert => initial with { Masks = Invert() },
                _ => throw new InvalidOperationException($"no such control: {phase.Name}"),
            };
            run.Model.Load(start);
            PhaseResult result = run.Train(phase);
            // Those that it was trained under, also where it was resumed from a checkpoint.
            if (phase.Name == name) masks = result.Model.Masks;
            yield return result;
        }

        ImmutableArray<Mask?> Invert()
        {
            // Scoring has a model of its own: both need not fit on the device.
            run.Release();
            return prune(cut with { Inverted = true });
        }
    }

    /// <summary>As many of each mask's elements live, at other places.</summary>
    private static ImmutableArray<Mask?> Shuffled(ImmutableArray<Mask?> masks, ulong seed) => [.. masks.Select((mask, i) =>
    {
        if (mask is null) return null;
        var places = new int[mask.Length];
        for (int k = 0; k < places.Length; k++) places[k] = k;
        SplitMix64.Fork(seed, 4, (ulong)i).Shuffle(places.AsSpan());
        var shuffled = new Mask(mask.Length, live: false);
        for (int k = 0; k < places.Length; k++)
            if (mask[k]) shuffled[places[k]] = true;
        return shuffled;
    })];

    private static IEnumerable<string> Names(InitialControls controls) => s_each.Where(c => controls.HasFlag(c)).Select(c => SettingText.Name(c));

    private static InitialControls Parse(string text) => SettingText.List(text).Aggregate(InitialControls.None, (all, name) => all | SettingText.Choice<InitialControls>(name));

    private static string? Text(InitialControls controls) => controls == InitialControls.None ? null : string.Join(',', Names(controls));
}

/// <summary>The cut of a method that prunes before training, by a score that it gives.</summary>
/// <param name="Inverted">The smallest scores stay.</param>
internal sealed record InitialCut(MethodRun Run, InitialPruning Settings, bool Inverted)
{
    /// <summary>Scores a network by some images, on a model of its own whose training state is free, and prunes it.</summary>
    /// <param name="score">Made for that model, from the gradient of its loss.</param>
    /// <param name="temperature">That logits are divided by in the loss.</param>
    /// <param name="rounds">Cuts, each to the same share of what the last one left.</param>
    /// <param name="dense">The score needs the gradient of pruned weights too.</param>
    public ImmutableArray<Mask?> ByLoss(TrainedNetwork start, ScoringImages images, double temperature, int rounds, Func<IGradient, IScore> score, bool dense = false)
    {
        using var model = new Model(start.Network, Run.Device);
        Evaluator.RequireFit(model, Run.Data.Train);
        model.Load(start);
        using var gradient = new LossGradient(model, images, Run.Recipe.BatchSize / Run.Recipe.Lanes, temperature, dense: dense) { Cancellation = Run.Cancellation };
        return Prune(model, score(gradient), rounds);
    }

    /// <summary>Prunes a model by a score that is written anew before each cut.</summary>
    /// <returns>Its masks.</returns>
    public ImmutableArray<Mask?> Prune(Model model, IScore score, int rounds)
    {
        IScore by = Inverted ? new Inverted(score) : score;
        int round = 0;
        foreach (double sparsity in CutRounds.Sparsities(Settings.Sparsity, rounds))
        {
            Run.Cancellation.ThrowIfCancellationRequested();
            // What an earlier cut leaves of a layer is not what the layer is trained with.
            Action<TrainingNote> note = ++round == rounds ? Run.Observer.OnNote : _ => { };
            new Pruner(model, by, Settings.Options.NewAllocation()).PruneTo(sparsity, note);
        }
        return [.. model.Network.Parameters.Select(p => model.Parameters.GetMask(p.Index))];
    }
}
