namespace Asni.Reports.Html;

/// <summary>The frame of a report: one file without scripts or links, in the reader's light or dark colours.</summary>
internal static class Page
{
    private const string Style = """
        :root { color-scheme: light dark; --bg: #ffffff; --fg: #1c2430; --quiet: #5b6675; --grid: #dde2e9; --bar: #8fa3bd;
          --c1: #1f6fd6; --c2: #c8501a; --c3: #2c8a4b; --c4: #8a4fc0; --c5: #a8760a; --c6: #0f8a94; }
        @media (prefers-color-scheme: dark) { :root { --bg: #14181f; --fg: #e4e9f0; --quiet: #9aa6b5; --grid: #2c3440; --bar: #56677f;
          --c1: #6aa9ff; --c2: #ff9560; --c3: #6fcf8b; --c4: #c59bf5; --c5: #e6b84a; --c6: #58ccd6; } }
        body { background: var(--bg); color: var(--fg); font: 15px/1.5 system-ui, sans-serif; margin: 2rem auto; max-width: 1180px; padding: 0 1rem; }
        h1 { font-size: 1.5rem; margin-bottom: 0; } h2 { font-size: 1.15rem; margin-top: 2rem; }
        .quiet, .tick { color: var(--quiet); fill: var(--quiet); } .tick { font-size: 11px; }
        .grid-of { display: grid; grid-template-columns: repeat(auto-fit, minmax(min(100%, 440px), 1fr)); gap: 1rem 1.5rem; }
        .grid-of.fine { grid-template-columns: repeat(auto-fill, minmax(230px, 1fr)); }
        figure { margin: 0; } figcaption { font-weight: 600; overflow-wrap: anywhere; } figure.small figcaption { font-size: 12px; }
        svg { width: 100%; height: auto; display: block; }
        .line { fill: none; stroke-width: 1.8; } .dashed { stroke-dasharray: 5 4; } .line.wide { stroke-width: 8; opacity: .35; }
        .grid { stroke: var(--grid); } .bar { fill: var(--bar); }
        .phase { stroke: var(--quiet); stroke-dasharray: 2 3; }
        .line.c1 { stroke: var(--c1); } .line.c2 { stroke: var(--c2); } .line.c3 { stroke: var(--c3); } .line.c4 { stroke: var(--c4); }
          .line.c5 { stroke: var(--c5); } .line.c6 { stroke: var(--c6); }
        .dot.c1 { fill: var(--c1); } .dot.c2 { fill: var(--c2); } .dot.c3 { fill: var(--c3); } .dot.c4 { fill: var(--c4); }
          .dot.c5 { fill: var(--c5); } .dot.c6 { fill: var(--c6); }
        .legend { margin: .1rem 0 0; font-size: 12px; color: var(--quiet); } .legend span { margin-right: 1em; white-space: nowrap;
          display: inline-block; }
        .legend i { display: inline-block; width: 1.4em; height: 0; border-top: 2.5px solid; vertical-align: middle; margin-right: .4em; }
          .legend i.dashed { border-top-style: dashed; } .legend i.wide { border-top-width: 8px; opacity: .35; }
        i.c1 { border-color: var(--c1); } i.c2 { border-color: var(--c2); } i.c3 { border-color: var(--c3); }
          i.c4 { border-color: var(--c4); } i.c5 { border-color: var(--c5); } i.c6 { border-color: var(--c6); }
        .scroll { overflow-x: auto; } table { border-collapse: collapse; font-variant-numeric: tabular-nums; }
          th, td { padding: .25rem .8rem .25rem 0; text-align: right; border-bottom: 1px solid var(--grid); white-space: nowrap; }
        th:first-child, td:first-child { text-align: left; } th { color: var(--quiet); font-weight: 600; }
        .meter { display: inline-block; width: 140px; height: 9px; background: var(--grid); border-radius: 2px; vertical-align: middle; }
          .meter b { display: block; height: 100%; background: var(--c1); border-radius: 2px; }
        pre { background: color-mix(in srgb, var(--grid) 35%, transparent); padding: .8rem; overflow-x: auto; font-size: 12.5px; }
          img { image-rendering: pixelated; max-width: 100%; }
        """;

    public static string Render(string title, Markup body) => new Markup()
        .Raw("<!DOCTYPE html><html lang=\"en\"><head><meta charset=\"utf-8\">")
        .Raw("<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">")
        .Add($"<title>{title}</title>")
        .Raw("<link rel=\"icon\" href=\"data:,\"><style>").Raw(Style).Raw("</style></head><body>")
        .Raw(body.ToString()).Raw("</body></html>").ToString();

    public static Markup Table(IReadOnlyList<string> columns, IEnumerable<IReadOnlyList<string>> rows)
    {
        Markup table = new Markup().Raw("<div class=\"scroll\"><table><thead><tr>");
        foreach (string column in columns) table.Add($"<th>{column}</th>");
        table.Raw("</tr></thead><tbody>");
        foreach (IReadOnlyList<string> row in rows)
        {
            table.Raw("<tr>");
            foreach (string cell in row) table.Add($"<td>{cell}</td>");
            table.Raw("</tr>");
        }
        return table.Raw("</tbody></table></div>");
    }
}
