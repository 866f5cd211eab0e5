namespace Asni.Reports.Html;

/// <summary>The marks of a chart's axes: a line across and a number for each of y, a number for each of x.</summary>
internal static class Grid
{
    private const double Gap = 6, HalfText = 4, LineOfText = 16;

    public static void Draw(Markup svg, Axis x, Axis y)
    {
        foreach (double tick in y.Ticks)
        {
            double at = y.At(tick);
            svg.Add($"<line class=\"grid\" x1=\"{x.From}\" x2=\"{x.To}\" y1=\"{at:0.#}\" y2=\"{at:0.#}\"/>");
            svg.Add($"<text class=\"tick\" x=\"{x.From - Gap}\" y=\"{at + HalfText:0.#}\" text-anchor=\"end\">{Axis.Label(tick)}</text>");
        }
        foreach (double tick in x.Ticks)
            svg.Add($"<text class=\"tick\" x=\"{x.At(tick):0.#}\" y=\"{y.From + LineOfText}\" text-anchor=\"middle\">{Axis.Label(tick)}</text>");
    }
}
