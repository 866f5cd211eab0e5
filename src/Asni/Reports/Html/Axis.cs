using System.Globalization;

namespace Asni.Reports.Html;

/// <summary>Maps values to places on a line of pixels, with round numbers marked.</summary>
internal sealed record Axis(double Low, double High, double From, double To, IReadOnlyList<double> Ticks)
{
    /// <summary>What lies further out is drawn here: its distance from the other end would be infinite.</summary>
    private const double Huge = 1e300;

    /// <summary>An axis over these values: its ends are round numbers, or the values' own extremes.</summary>
    /// <param name="ticks">About how many marks.</param>
    public static Axis Over(IEnumerable<double> values, double from, double to, int ticks, bool roundEnds = true)
    {
        var finite = values.Where(double.IsFinite).Select(v => Math.Clamp(v, -Huge, Huge)).DefaultIfEmpty(0).ToList();
        double low = finite.Min(), high = finite.Max();
        // Values as near as rounding leaves equal ones count as equal: their marks would lie closer than numbers do.
        double size = Math.Max(Math.Max(Math.Abs(low), Math.Abs(high)), 1e-6);
        if (high - low <= 1e-9 * size) (low, high) = (low - 0.5 * size, high + 0.5 * size);
        double step = RoundStep((high - low) / ticks);
        if (roundEnds) (low, high) = (Math.Floor(low / step + 1e-9) * step, Math.Ceiling(high / step - 1e-9) * step);
        var marks = new List<double>();
        for (double k = Math.Ceiling(low / step - 1e-9); k * step <= high + 1e-9 * step; k++) marks.Add(k * step);
        return new Axis(low, high, from, to, marks);
    }

    public double At(double value) => From + (value - Low) / (High - Low) * (To - From);

    public static string Label(double value)
    {
        if (Math.Abs(value) < 1e-12) return "0";
        return value.ToString(Math.Abs(value) is >= 1e-3 and < 1e7 ? "#,0.####" : "0.##e0", CultureInfo.InvariantCulture);
    }

    /// <summary>1, 2 or 5 times a power of ten, not below the step.</summary>
    private static double RoundStep(double step)
    {
        double power = Math.Pow(10, Math.Floor(Math.Log10(step)));
        return power * (step / power) switch { <= 1 => 1, <= 2 => 2, <= 5 => 5, _ => 10 };
    }
}
