using System.Text;

namespace SyntheticPruning;

/// <summary>Error against units kept, both axes logarithmic: a polynomial decay is a straight line. A panel a width, as SVG.</summary>
internal sealed class DecayPlot
{
    private const double Width = 420, Height = 340, Left = 56, Top = 56, Bottom = 48;
    private static readonly string[] s_colours = ["#0969da", "#bc4c00", "#1a7f37", "#8250df"];
    private readonly List<(string Panel, string Line, double X, double Y)> _points = [];

    public void Add(string panel, string line, double kept, double error) => _points.Add((panel, line, kept, error));

    public void Save(string path)
    {
        string[] panels = [.. _points.Select(p => p.Panel).Distinct()];
        int lowest = (int)Math.Floor(_points.Min(p => Math.Log10(p.Y)));
        var svg = new StringBuilder(FormattableString.Invariant($"<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {Width * panels.Length} {Height}\" font-family=\"system-ui, sans-serif\" font-size=\"12\">"));
        svg.Append("<rect width=\"100%\" height=\"100%\" fill=\"#ffffff\"/>");
        for (int i = 0; i < panels.Length; i++) Panel(svg, i * Width, panels[i], lowest);
        File.WriteAllText(path, svg.Append("</svg>\n").ToString());
    }

    private void Panel(StringBuilder svg, double left, string panel, int lowest)
    {
        var mine = _points.Where(p => p.Panel == panel).ToList();
        (double first, double last) = (Math.Log(mine.Min(p => p.X)), Math.Log(mine.Max(p => p.X)));
        double X(double x) => left + Left + (Math.Log(x) - first) / (last - first) * (Width - Left - 24);
        double Y(double log) => Top + log / lowest * (Height - Top - Bottom);
        void Text(double x, double y, string text, string anchor = "middle", string colour = "#57606a") =>
            svg.Append(FormattableString.Invariant($"<text x=\"{x:0.#}\" y=\"{y:0.#}\" text-anchor=\"{anchor}\" fill=\"{colour}\">{text}</text>"));
        Text(left + Left, 20, $"{panel}: ||V||² over keeping none", "start", "#24292f");
        Text(left + Width / 2, Height - 8, "units kept");
        for (int e = 0; e >= lowest; e -= 2)
        {
            svg.Append(FormattableString.Invariant($"<path stroke=\"#d0d7de\" d=\"M{left + Left:0.#} {Y(e):0.#}H{left + Width - 24:0.#}\"/>"));
            Text(left + Left - 6, Y(e) + 4, $"1e{e}", "end");
        }
        foreach (double x in mine.Select(p => p.X).Distinct()) Text(X(x), Height - Bottom + 18, $"{x}");
        foreach ((string line, int n) in mine.Select(p => p.Line).Distinct().Select((l, n) => (l, n)))
        {
            var points = mine.Where(p => p.Line == line).Select(p => (X: X(p.X), Y: Y(Math.Log10(p.Y)))).ToList();
            string path = string.Join(' ', points.Select(p => FormattableString.Invariant($"{p.X:0.#},{p.Y:0.#}")));
            svg.Append($"<polyline fill=\"none\" stroke=\"{s_colours[n]}\" stroke-width=\"2\" points=\"{path}\"/>");
            foreach ((double x, double y) in points) svg.Append(FormattableString.Invariant($"<circle cx=\"{x:0.#}\" cy=\"{y:0.#}\" r=\"3\" fill=\"{s_colours[n]}\"/>"));
            Text(left + Left + 76 * n, 40, $"● {line}", "start", s_colours[n]);
        }
    }
}
