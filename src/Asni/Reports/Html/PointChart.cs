namespace Asni.Reports.Html;

/// <summary>Points of one kind, joined in order of x; the spread is drawn above and below each.</summary>
internal sealed record PointSeries(string Name, int Colour, IReadOnlyList<(double X, double Y, double Spread)> Points);

/// <summary>Points in a plane as inline SVG.</summary>
internal static class PointChart
{
    private const double Width = 1000, Height = 420, Left = 58, Right = 14, Top = 12, Bottom = 40;

    public static Markup Draw(string title, string xUnit, IReadOnlyList<PointSeries> series)
    {
        var points = series.SelectMany(s => s.Points).ToList();
        Axis x = Axis.Over(points.Select(p => p.X), Left, Width - Right, 8);
        Axis y = Axis.Over(points.SelectMany(p => new[] { p.Y - p.Spread, p.Y + p.Spread }), Height - Bottom, Top, 6);
        var svg = new Markup();
        svg.Add($"<figure><figcaption>{title}</figcaption><svg viewBox=\"0 0 {Width} {Height}\" role=\"img\" aria-label=\"{title}\">");
        Grid.Draw(svg, x, y);
        svg.Add($"<text class=\"tick\" x=\"{Width - Right}\" y=\"{Height - 6}\" text-anchor=\"end\">{xUnit}</text>");
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
            (double at, double low, double high) = (x.At(px), y.At(py - spread), y.At(py + spread));
            if (spread > 0)
                svg.Add($"<line class=\"line c{series.Colour}\" x1=\"{at:0.##}\" x2=\"{at:0.##}\" y1=\"{low:0.##}\" y2=\"{high:0.##}\"/>");
            svg.Add($"<circle class=\"dot c{series.Colour}\" cx=\"{at:0.##}\" cy=\"{y.At(py):0.##}\" r=\"3.5\">");
            svg.Add($"<title>{series.Name}: sparsity {px:0.00} %, top-1 {py:0.00} %</title></circle>");
        }
    }
}
