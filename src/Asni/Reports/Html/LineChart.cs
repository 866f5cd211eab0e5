namespace Asni.Reports.Html;

/// <summary>A line of a chart.</summary>
/// <param name="Colour">Number of the page's colour variable, from 1.</param>
/// <param name="Wide">A broad pale band, for what other lines are meant to follow.</param>
internal sealed record Series(string Name, int Colour, IReadOnlyList<(double X, double Y)> Points, bool Dashed = false, bool Wide = false);

/// <summary>Lines over epochs as inline SVG; borders between phases are marked.</summary>
internal static class LineChart
{
    private const double Width = 560, Height = 260, Left = 58, Right = 10, Top = 22, Bottom = 34;
    private const int ManyPoints = 60, MaxPoints = 600;

    public static Markup Draw(string title, string unit, IReadOnlyList<Series> series, IReadOnlyList<(double X, string Phase)> phases, bool fromZero)
    {
        Axis x = Axis.Over(series.SelectMany(s => s.Points).Select(p => p.X).Append(0), Left, Width - Right, 8, roundEnds: false);
        Axis y = Axis.Over(series.SelectMany(s => s.Points).Select(p => p.Y).Concat(fromZero ? [0.0] : []), Height - Bottom, Top, 5);
        var svg = new Markup();
        svg.Add($"<figure><figcaption>{title}{(unit.Length > 0 ? $", {unit}" : "")}</figcaption>");
        svg.Add($"<svg viewBox=\"0 0 {Width} {Height}\" role=\"img\" aria-label=\"{title}\">");
        Grid.Draw(svg, x, y);
        svg.Add($"<text class=\"tick\" x=\"{Width - Right}\" y=\"{Height - 4}\" text-anchor=\"end\">epoch of the run</text>");
        foreach ((double at, string phase) in phases)
        {
            svg.Add($"<line class=\"phase\" x1=\"{x.At(at):0.#}\" x2=\"{x.At(at):0.#}\" y1=\"{Top - 8}\" y2=\"{Height - Bottom}\"/>");
            svg.Add($"<text class=\"tick\" x=\"{x.At(at) + 4:0.#}\" y=\"{Top - 8}\">{phase}</text>");
        }
        foreach (Series s in series) Line(svg, s, x, y);
        svg.Raw("</svg>");
        Legend(svg, series);
        return svg.Raw("</figure>");
    }

    private static void Line(Markup svg, Series series, Axis x, Axis y)
    {
        // More points than pixels only make the file larger.
        int every = (series.Points.Count + MaxPoints - 1) / MaxPoints;
        var finite = series.Points.Where((p, i) => double.IsFinite(p.Y) && (i % every == 0 || i == series.Points.Count - 1)).ToList();
        string path = string.Join(' ', finite.Select(p => FormattableString.Invariant($"{x.At(p.X):0.##},{y.At(p.Y):0.##}")));
        svg.Add($"<polyline class=\"line c{series.Colour}{Style(series)}\" points=\"{path}\"/>");
        if (series.Dashed || series.Wide) return;
        double radius = finite.Count > ManyPoints ? 1.2 : 2.2;
        foreach ((double px, double py) in finite)
        {
            svg.Add($"<circle class=\"dot c{series.Colour}\" cx=\"{x.At(px):0.##}\" cy=\"{y.At(py):0.##}\" r=\"{radius}\">");
            svg.Add($"<title>{series.Name}, epoch {Axis.Label(px)}: {py:G5}</title></circle>");
        }
    }

    private static string Style(Series series) => series.Dashed ? " dashed" : series.Wide ? " wide" : "";

    private static void Legend(Markup svg, IReadOnlyList<Series> series)
    {
        svg.Raw("<p class=\"legend\">");
        foreach (Series s in series) svg.Add($"<span><i class=\"c{s.Colour}{Style(s)}\"></i>{s.Name}</span>");
        svg.Raw("</p>");
    }
}
