using System.Collections.Immutable;
using Asni.Engine;
using Asni.Networks;
using Asni.Tensors;
using Asni.Training;

namespace Asni.Methods;

/// <summary>
/// Control runs: ASNI-I's mask trained from another initialization, with ASNI-II's settings, to show what the two numbers are worth.
/// </summary>
internal static class Controls
{
    public const string Ticket = "ticket", Reinit = "reinit", Shuffle = "shuffle";

    /// <summary>True for phases that show what others are worth: their networks are not what a run is for.</summary>
    public static bool IsControl(string phase) => phase is Ticket or Reinit or Shuffle;

    /// <summary>The mask from the weights that ASNI-I started with (the lottery-ticket procedure of Frankle and Carbin 2019).</summary>
    public static TrainedNetwork FromTicket(TrainedNetwork original, TrainedNetwork sparse) => original with { Masks = sparse.Masks };

    /// <summary>The mask from a new Kaiming initialization.</summary>
    public static TrainedNetwork FromReinit(Recipe recipe, TrainedNetwork sparse) =>
        MethodRunner.InitialWeights(sparse.Network, SplitMix64.Fork(recipe.Seed, 3).NextUInt64()) with { Masks = sparse.Masks };

    /// <summary>
    /// The two-number initialization with the positions inside each layer shuffled: as sparse, with as many of each number, at random places.
    /// </summary>
    public static TrainedNetwork FromShuffle(Recipe recipe, TrainedNetwork twoNumbers)
    {
        var values = twoNumbers.Values.ToArray();
        var masks = twoNumbers.Masks.ToArray();
        foreach (Parameter p in twoNumbers.Network.Weights)
        {
            if (masks[p.Index] is not { } mask) continue;
            var places = new int[p.Elements];
            for (int i = 0; i < places.Length; i++) places[i] = i;
            SplitMix64.Fork(recipe.Seed, 4, (ulong)p.Index).Shuffle(places.AsSpan());
            (values[p.Index], masks[p.Index]) = Permute(values[p.Index], mask, places);
        }
        return twoNumbers with { Values = [.. values], Masks = [.. masks] };
    }

    public static PhaseResult Run(string name, ulong stream, TrainedNetwork start, Recipe recipe, Trainer trainer, ITrainingObserver observer,
        CancellationToken cancellation)
    {
        trainer.Model.Load(start);
        return new Phase(name, stream, recipe, trainer, observer)
            .Run(recipe.RetrainEpochs ?? recipe.Epochs, recipe.RetrainLearningRate ?? recipe.LearningRate, cancellation);
    }

    private static (float[] Values, Mask Mask) Permute(float[] values, Mask mask, int[] places)
    {
        var moved = new float[values.Length];
        var movedMask = new Mask(values.Length, live: false);
        for (int i = 0; i < values.Length; i++)
        {
            moved[places[i]] = values[i];
            if (mask[i]) movedMask[places[i]] = true;
        }
        return (moved, movedMask);
    }
}
