namespace Asni.Reports.Html;

/// <summary>How the surviving weights of a layer are distributed, with its two numbers c+ and c- marked, as inline SVG.</summary>
internal static class WeightHistogram
{
    private const double Width = 270, Height = 130, Margin = 8, Bottom = 20;
    private const int Buckets = 60;

    public static Markup Draw(string layer, float[] survivors, float? plus, float? minus)
    {
        var svg = new Markup();
        svg.Add($"<figure class=\"small\"><figcaption>{layer} <span class=\"quiet\">{survivors.Length:N0} weights</span></figcaption>");
        svg.Add($"<svg viewBox=\"0 0 {Width} {Height}\" role=\"img\" aria-label=\"histogram of {layer}\">");
        float[] finite = [.. survivors.Where(float.IsFinite)];
        if (finite.Length > 0) Bars(svg, finite, plus, minus);
        svg.Raw("</svg>");
        svg.Add($"<p class=\"legend\">c- {Text(minus)} <span class=\"spacer\"></span> c+ {Text(plus)}</p></figure>");
        return svg;
    }

    private static void Bars(Markup svg, float[] values, float? plus, float? minus)
    {
        double reach = values.Max(Math.Abs);
        if (reach == 0) reach = 1;
        var counts = new int[Buckets];
        foreach (float v in values) counts[Math.Min(Buckets - 1, (int)((v / reach + 1) / 2 * Buckets))]++;
        var x = new Axis(-reach, reach, Margin, Width - Margin, [-reach, 0, reach]);
        var y = new Axis(0, counts.Max(), Height - Bottom, Margin, []);
        double width = (Width - 2 * Margin) / Buckets;
        for (int i = 0; i < Buckets; i++)
        {
            if (counts[i] == 0) continue;
            (double left, double top) = (Margin + i * width, y.At(counts[i]));
            svg.Add($"<rect class=\"bar\" x=\"{left:0.##}\" width=\"{width * 0.9:0.##}\" y=\"{top:0.##}\" height=\"{y.From - top:0.##}\"/>");
        }
        svg.Add($"<line class=\"grid\" x1=\"{Margin}\" x2=\"{Width - Margin}\" y1=\"{Height - Bottom}\" y2=\"{Height - Bottom}\"/>");
        foreach ((double tick, string anchor) in x.Ticks.Zip(["start", "middle", "end"]))
            svg.Add($"<text class=\"tick\" x=\"{x.At(tick):0.#}\" y=\"{Height - 6}\" text-anchor=\"{anchor}\">{tick:G3}</text>");
        foreach ((float? center, int colour) in new[] { (minus, 2), (plus, 1) })
        {
            if (center is not { } c || !float.IsFinite(c)) continue;
            double at = x.At(c);
            svg.Add($"<line class=\"line c{colour}\" x1=\"{at:0.##}\" x2=\"{at:0.##}\" y1=\"{Margin - 4}\" y2=\"{y.From}\">");
            svg.Add($"<title>{c:G6}</title></line>");
        }
    }

    private static string Text(float? center) => center is { } c ? c.ToString("G5", System.Globalization.CultureInfo.InvariantCulture) : "none";
}
