using System.Globalization;

namespace Asni.Settings;

/// <summary>The numbers that a setting may have, written as in mathematics: "[0, 1)", "(0, inf)".</summary>
internal readonly record struct Interval(double Low, bool HasLow, double High, bool HasHigh)
{
    public static readonly Interval All = new(double.NegativeInfinity, false, double.PositiveInfinity, false);

    public static implicit operator Interval(string text)
    {
        string[] ends = text[1..^1].Split(", ");
        return new Interval(End(ends[0]), text[0] == '[', End(ends[1]), text[^1] == ']');
    }

    public bool Contains(double value) => (HasLow ? value >= Low : value > Low) && (HasHigh ? value <= High : value < High);

    /// <summary>What completes "is not ..." or "must be ...".</summary>
    public string Words(bool whole)
    {
        string noun = whole ? "a whole number" : "a number";
        string Text(double end) => end.ToString(CultureInfo.InvariantCulture);
        return (double.IsFinite(Low), double.IsFinite(High)) switch
        {
            (false, false) => noun,
            (true, false) => HasLow ? $"{noun} from {Text(Low)}" : $"{noun} above {Text(Low)}",
            _ => $"{noun} in {(HasLow ? '[' : '(')}{Text(Low)}, {Text(High)}{(HasHigh ? ']' : ')')}",
        };
    }

    private static double End(string text) => text switch
    {
        "inf" => double.PositiveInfinity,
        "-inf" => double.NegativeInfinity,
        _ => double.Parse(text, CultureInfo.InvariantCulture),
    };
}
