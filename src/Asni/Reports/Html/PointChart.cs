namespace Asni.Reports.Html;

/// <summary>Points of one kind, joined in order of x; the spread is drawn above and below each.</summary>
internal sealed record PointSeries(string Name, int Colour, IReadOnlyList<(double X, double Y, double Spread)> Points);

/// <summary>Points in a plane as inline SVG.</summary>
internal static class PointChart
{
    private const double Width = 760, Height = 380, Left = 58, Right = 14, Top = 16, Bottom = 40;

    public static Markup Draw(string title, string xUnit, string yUnit, IReadOnlyList<PointSeries> series)
    {
        var points = series.SelectMany(s => s.Points).ToList();
        Axis x = Axis.Over(points.Select(p => p.X), Left, Width - Right, 8);
        Axis y = Axis.Over(points.SelectMany(p => new[] { p.Y - p.Spread, p.Y + p.Spread }), Height - Bottom, Top, 6);
        var svg = new Markup();
        svg.Add($"<figure><figcaption>{title}</figcaption><svg viewBox=\"0 0 {Width} {Height}\" role=\"img\" aria-label=\"{title}\">");
        foreach (double tick in y.Ticks)
            svg.Add($"<line class=\"grid\" x1=\"{Left}\" x2=\"{Width - Right}\" y1=\"{y.At(tick):0.#}\" y2=\"{y.At(tick):0.#}\"/><text class=\"tick\" x=\"{Left - 6}\" y=\"{y.At(tick) + 4:0.#}\" text-anchor=\"end\">{Axis.Label(tick)}</text>");
        foreach (double tick in x.Ticks)
            svg.Add($"<text class=\"tick\" x=\"{x.At(tick):0.#}\" y=\"{Height - Bottom + 16}\" text-anchor=\"middle\">{Axis.Label(tick)}</text>");
        svg.Add($"<text class=\"tick\" x=\"{Width - Right}\" y=\"{Height - 6}\" text-anchor=\"end\">{xUnit}</text><text class=\"tick\" x=\"4\" y=\"12\">{yUnit}</text>");
        foreach (PointSeries s in series) Points(svg, s, x, y);
        svg.Raw("</svg><p class=\"legend\">");
        foreach (PointSeries s in series) svg.Add($"<span><i class=\"c{s.Colour}\"></i>{s.Name}</span>");
        return svg.Raw("</p></figure>");
    }

    private static void Points(Markup svg, PointSeries series, Axis x, Axis y)
    {
        var ordered = series.Points.OrderBy(p => p.X).ToList();
        string path = string.Join(' ', ordered.Select(p => FormattableString.Invariant($"{x.At(p.X):0.##},{y.At(p.Y):0.##}")));
        svg.Add($"<polyline class=\"line c{series.Colour}\" points=\"{path}\"/>");
        foreach ((double px, double py, double spread) in ordered)
        {
            if (spread > 0)
                svg.Add($"<line class=\"line c{series.Colour}\" x1=\"{x.At(px):0.##}\" x2=\"{x.At(px):0.##}\" y1=\"{y.At(py - spread):0.##}\" y2=\"{y.At(py + spread):0.##}\"/>");
            svg.Add($"<circle class=\"dot c{series.Colour}\" cx=\"{x.At(px):0.##}\" cy=\"{y.At(py):0.##}\" r=\"3.5\"><title>{series.Name}: sparsity {px:0.00} %, top-1 {py:0.00} %</title></circle>");
        }
    }
}
