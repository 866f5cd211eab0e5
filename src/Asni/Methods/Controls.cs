using System.Collections.Immutable;
using Asni.Networks;
using Asni.Pruning;
using Asni.Settings;
using Asni.Tensors;

namespace Asni.Methods;

/// <summary>Control runs with ASNI-I's mask, to show what ASNI-II's initialization is worth.</summary>
[Flags]
public enum ControlRuns
{
    None = 0,
    /// <summary>The mask from the original initialization (lottery ticket).</summary>
    Ticket = 1,
    /// <summary>The mask from a new random initialization.</summary>
    Reinit = 2,
    /// <summary>The two-number initialization under a mask shuffled within each layer.</summary>
    Shuffle = 4,
    /// <summary>The two-number initialization with the signs that the weights had before training.</summary>
    InitialSigns = 8,
    /// <summary>The two-number initialization with random signs.</summary>
    RandomSigns = 16,
    /// <summary>One magnitude a layer: c- = -c+.</summary>
    LayerMagnitude = 32,
    /// <summary>One magnitude for all layers.</summary>
    NetworkMagnitude = 64,
}

/// <summary>
/// Control runs: ASNI-I's mask trained from another initialization, with ASNI-II's settings, to show what the two numbers are worth.
/// </summary>
internal static class Controls
{
    /// <summary>Of random numbers; the first control's.</summary>
    private const ulong FirstStream = 5;

    private static readonly ControlRuns[] s_each =
    [
        ControlRuns.Ticket, ControlRuns.Reinit, ControlRuns.Shuffle, ControlRuns.InitialSigns, ControlRuns.RandomSigns, ControlRuns.LayerMagnitude, ControlRuns.NetworkMagnitude,
    ];

    private static readonly string[] s_names = [.. s_each.Select(c => SettingText.Name(c))];

    /// <summary>True for phases that show what others are worth: their networks are not what a run is for.</summary>
    public static bool IsControl(string phase) => s_names.Contains(phase) || InitialPruning.ControlNames.Contains(phase) || phase == StructuredPruning.ScratchName;

    /// <summary>The names of the phases, in order.</summary>
    public static IEnumerable<string> Names(ControlRuns controls) => s_each.Where(c => controls.HasFlag(c)).Select(c => SettingText.Name(c));

    public static ulong Stream(string control) => FirstStream + (ulong)Array.IndexOf(s_names, control);

    /// <summary>What a control's weights start from, where that is again few numbers; null for the others, which <see cref="Start"/> has.</summary>
    /// <param name="own">ASNI-II's.</param>
    public static LevelOptions? Levels(string control, LevelOptions own) => SettingText.Choice<ControlRuns>(control) switch
    {
        ControlRuns.InitialSigns => own with { Signs = SignSource.Initial },
        ControlRuns.RandomSigns => own with { Signs = SignSource.Random },
        ControlRuns.LayerMagnitude => own with { Levels = 1, Scope = LevelScope.Layer },
        ControlRuns.NetworkMagnitude => own with { Levels = 1, Scope = LevelScope.Network },
        _ => null,
    };

    /// <summary>What a control starts from.</summary>
    /// <param name="sparse">ASNI-I.</param>
    /// <param name="twoNumbers">What ASNI-II started from.</param>
    public static TrainedNetwork Start(string control, ulong seed, PhaseResult sparse, TrainedNetwork twoNumbers) => SettingText.Choice<ControlRuns>(control) switch
    {
        ControlRuns.Ticket => FromTicket(sparse.Initial, sparse.Model),
        ControlRuns.Reinit => FromReinit(seed, sparse.Model),
        ControlRuns.Shuffle => FromShuffle(seed, twoNumbers),
        _ => throw new ArgumentOutOfRangeException(nameof(control), control, null),
    };

    /// <exception cref="FormatException">Not a list of names.</exception>
    public static ControlRuns Parse(string text) => SettingText.List(text).Aggregate(ControlRuns.None, (all, name) => all | SettingText.Choice<ControlRuns>(name));

    /// <summary>The names with commas in between; null for none.</summary>
    public static string? Text(ControlRuns controls) => controls == ControlRuns.None ? null : string.Join(',', Names(controls));

    /// <summary>The mask from the weights that ASNI-I started with (the lottery-ticket procedure of Frankle and Carbin 2019).</summary>
    private static TrainedNetwork FromTicket(TrainedNetwork original, TrainedNetwork sparse) => original with { Masks = sparse.Masks };

    /// <summary>The mask from a new Kaiming initialization.</summary>
    public static TrainedNetwork FromReinit(ulong seed, TrainedNetwork sparse) =>
        MethodRunner.CreateInitialWeights(sparse.Network, SplitMix64.Fork(seed, 3).NextUInt64()) with { Masks = sparse.Masks };

    /// <summary>
    /// The two-number initialization with the positions inside each layer shuffled: as sparse, with as many of each number, at random places.
    /// </summary>
    private static TrainedNetwork FromShuffle(ulong seed, TrainedNetwork twoNumbers)
    {
        var values = twoNumbers.Values.ToArray();
        var masks = twoNumbers.Masks.ToArray();
        foreach (Parameter p in twoNumbers.Network.Weights)
        {
            if (masks[p.Index] is not { } mask) continue;
            var places = new int[p.Elements];
            for (int i = 0; i < places.Length; i++) places[i] = i;
            SplitMix64.Fork(seed, 4, (ulong)p.Index).Shuffle(places.AsSpan());
            (values[p.Index], masks[p.Index]) = Permute(values[p.Index], mask, places);
        }
        return twoNumbers with { Values = [.. values], Masks = [.. masks] };
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
