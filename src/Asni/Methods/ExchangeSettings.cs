using System.Collections.Immutable;
using System.Globalization;
using Asni.Settings;
using Asni.Training.Policies;

namespace Asni.Methods;

/// <summary>How much of each layer is exchanged, and when, by steps.</summary>
public sealed record ExchangeSettings
{
    /// <summary>In a training too short for so many exchanges at the usual distance, the distance is less.</summary>
    private const int FewestExchanges = 20;

    /// <summary>But not less than this: what grows needs updates before it is compared.</summary>
    private const int ShortestDistance = 4;

    /// <summary>f0: share of a layer's live weights that the first exchange moves; it falls along a cosine.</summary>
    public double Fraction { get; init; } = 0.3;

    /// <summary>Share of the run after which masks stay.</summary>
    public double End { get; init; } = 0.75;

    /// <summary>Steps between exchanges; null for what the method's paper has, or a 20th of the exchanging time where that is less, at least 4.</summary>
    public int? EverySteps { get; init; }

    /// <param name="usual">Steps between exchanges in the paper, in words.</param>
    internal static ImmutableArray<Setting<ExchangeSettings>> Settings(string usual) =>
    [
        SettingFactory.Number<ExchangeSettings>("exchange-fraction", "share of a layer's live weights that an exchange drops and grows anew, at first", s => s.Fraction, (s, v) => s with { Fraction = v }, "[0, 1]"),
        SettingFactory.Integer<ExchangeSettings>("exchange-every", $"exchange weights every N steps (default: every {usual}, or a 20th of the exchanging time if that is less, at least 4)", s => s.EverySteps, (s, v) => s with { EverySteps = v }, "[1, inf)"),
        SettingFactory.Number<ExchangeSettings>("exchange-end", "share of the run after which no more weights are exchanged", s => s.End, (s, v) => s with { End = v }, "(0, 1]"),
    ];

    /// <summary>t_end, in steps of a run.</summary>
    internal long Last(long steps) => Math.Max(1, (long)Math.Round(End * steps));

    /// <summary>Every so many steps and before t_end, so that what grows has steps to learn in.</summary>
    /// <param name="steps">Of the run.</param>
    /// <param name="usual">Steps between exchanges in the paper.</param>
    /// <param name="note">Told when no exchange fits into the run.</param>
    internal Cadence Cadence(long steps, int usual, Action<TrainingNote> note)
    {
        long last = Last(steps);
        int every = EverySteps ?? (int)Math.Clamp(last / FewestExchanges, ShortestDistance, usual);
        if (last <= every)
            note(new(string.Create(CultureInfo.InvariantCulture, $"no weights are exchanged: exchanges come every {every} steps and end after step {last} of {steps}.")));
        return new Cadence(every, every, (last - 1) / every * every);
    }
}
