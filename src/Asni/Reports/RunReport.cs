using System.Globalization;
using System.Runtime.InteropServices;
using Asni.Methods;
using Asni.Networks;
using Asni.Reports.Html;
using Asni.Runs;
using Asni.Training;

namespace Asni.Reports;

/// <summary>report.html: what a run did and reached, in one file that needs nothing else.</summary>
internal sealed class RunReport
{
    private const int Colours = 6, PlanColour = 5;

    private static readonly string[] s_phaseColumns = ["phase", "top-1", "best epoch", "top-5", "test loss", "sparsity", "effective sparsity", "kept", "MACs", "seconds", ""];
    private static readonly string[] s_layerColumns = ["layer", "shape", "weights", "kept", "effective", "sparsity", "", "c+", "c-"];
    private static readonly string[] s_sizeColumns = ["", "bytes", "of dense"];

    /// <summary>Where each phase starts on the axis of the whole run, in the order they ran, and the epoch of its schedule that it began with.</summary>
    private readonly List<(string Name, int Start, int First)> _starts;

    private readonly RunSoFar _run;

    private RunReport(RunSoFar run) => (_run, _starts) = (run, Starts(run.Epochs));

    /// <summary>The page; <see cref="RunFolder.ReportWriter"/> puts it into a run folder.</summary>
    public static string Write(RunSoFar run) => new RunReport(run).Html();

    private string Html()
    {
        var page = new Markup();
        page.Add($"<h1>{_run.Run.Network.Name} on {_run.Run.Data}</h1>");
        string state = _run.Complete ? "Complete." : "Not complete: the run was stopped, or is still going.";
        page.Add($"<p class=\"quiet\">Data: {_run.Run.DataSource}.");
        page.Add($"{_run.Run.Network.ParameterCount:N0} parameters, {_run.Run.Network.WeightCount:N0} of them weights");
        page.Add($"that can be pruned. Seed {_run.Run.Seed}. {state}</p>");
        page.Raw(Page.Table(s_phaseColumns, _run.Phases.Select(PhaseRow)).ToString());
        page.Raw("<h2>Over the epochs</h2><div class=\"grid-of\">");
        foreach (Markup chart in Charts()) page.Raw(chart.ToString());
        page.Raw("</div>");
        Layers(page);
        Sizes(page, _run.Networks);
        page.Raw("<h2>Recipe and environment</h2>");
        if (_run.Recipe.Length > 0) page.Add($"<pre>{_run.Recipe.TrimEnd()}</pre>");
        string version = typeof(RunReport).Assembly.GetName().Version?.ToString(3) ?? "";
        page.Add($"<p>{_run.Run.Device}. {RuntimeInformation.FrameworkDescription}, {RuntimeInformation.OSDescription}, Asni {version}.</p>");
        return Page.Render($"{_run.Run.Network.Name} on {_run.Run.Data}", page);
    }

    private static List<(string, int, int)> Starts(IReadOnlyList<EpochRecord> epochs)
    {
        var starts = new List<(string Name, int Start, int First)>();
        int next = 0;
        foreach (IGrouping<string, EpochRecord> phase in epochs.GroupBy(e => e.Phase))
        {
            starts.Add((phase.Key, next, phase.Min(e => e.Epoch)));
            next += phase.Count();
        }
        return starts;
    }

    private IEnumerable<Markup> Charts()
    {
        yield return Chart("Top-1 accuracy on the test set", "%", e => 100 * e.TestTop1, fromZero: false);
        yield return LineChart.Draw("Loss", "", [.. Lines(e => e.TrainLoss, " training", dashed: true), .. Lines(e => e.TestLoss, " test")],
            Borders(), fromZero: false);
        yield return LineChart.Draw("Sparsity planned and reached", "%", [.. Planned(), .. Lines(e => 100 * e.Sparsity, " reached")],
            Borders(), fromZero: true);
        yield return Chart("Learning rate", "", e => e.Lr, fromZero: true);
        yield return Chart("Speed of training", "images a second", e => e.ImagesPerSecond, fromZero: true);
    }

    private Markup Chart(string title, string unit, Func<EpochRecord, double> value, bool fromZero) =>
        LineChart.Draw(title, unit, [.. Lines(value, "")], Borders(), fromZero);

    private IReadOnlyList<(double, string)> Borders() => [.. _starts.Select(s => ((double)s.Start, s.Name))];

    private IEnumerable<Series> Lines(Func<EpochRecord, double> value, string suffix, bool dashed = false) => _starts.Select((phase, i) =>
        new Series(phase.Name + suffix, i % Colours + 1,
            [.. _run.Epochs.Where(e => e.Phase == phase.Name).Select(e => (phase.Start + e.Epoch - phase.First + 1.0, value(e)))], dashed));

    /// <summary>The schedule where one is followed.</summary>
    private IEnumerable<Series> Planned()
    {
        foreach ((string name, int start, int first) in _starts)
        {
            if (_run.Run.Recipe?.Method.PlannedSparsity(_run.Run.Recipe, name, _run.Run.Network) is not { } planned) continue;
            int done = _run.Epochs.Count(e => e.Phase == name);
            yield return new Series("planned", PlanColour, [.. Enumerable.Range(0, done).Select(e => (start + e + 1.0, 100 * planned(first + e)))], Wide: true);
        }
    }

    private IReadOnlyList<string> PhaseRow(PhaseResult p) =>
        [p.Phase, Percent(p.Top1), BestEpoch.Of(p, _run.Epochs) is { } best ? $"{Percent(best.Top1)} ({best.Epoch + 1})" : "-", Percent(p.Top5), double.IsFinite(p.TestLoss) ? Number(p.TestLoss, "0.0000") : "-", Percent(p.Sparsity),
            Percent(p.Paths.Sparsity), Number(p.Kept, "N0"), Number(p.Analysis.LiveMacs, "N0"), Number(p.Seconds, "0.0"), p.Complete ? "" : "cut short"];

    private void Layers(Markup page)
    {
        // The survivors that two numbers stand for; without such a phase, those of the last one that is no control.
        int second = _run.Phases.ToList().FindIndex(p => p.IsFromFewNumbers);
        PhaseResult? shown = second > 0 ? _run.Phases[second - 1] : _run.Phases.LastOrDefault(p => !Controls.IsControl(p.Phase));
        if (shown is null) return;
        var centers = _run.Phases.SelectMany(p => p.Layers).ToDictionary(l => l.Parameter.Index);
        page.Add($"<h2>Layers after {shown.Phase}</h2>");
        if (shown.Model.Network != _run.Run.Network) page.Add($"<p class=\"quiet\">Of the network that is left, {shown.Model.Network.Name}: {shown.Model.Network.ParameterCount:N0} parameters.</p>");
        page.Raw("<p class=\"quiet\">A kept weight is effective when live weights lead from some input through it to some logit.</p>");
        page.Raw("<div class=\"scroll\"><table><thead><tr>");
        foreach (string column in s_layerColumns) page.Add($"<th>{column}</th>");
        page.Raw("</tr></thead><tbody>");
        foreach (Parameter p in shown.Model.Network.Weights)
        {
            centers.TryGetValue(p.Index, out LayerResult? center);
            long kept = shown.Model.Live(p);
            double sparsity = 1 - (double)kept / p.Elements;
            page.Add($"<tr><td>{p.Name}</td><td>{p.Shape.ToString()}</td><td>{p.Elements:N0}</td><td>{kept:N0}</td><td>{shown.Paths.Of(p):N0}</td><td>{100 * sparsity:0.00} %</td>");
            page.Add($"<td><span class=\"meter\"><b style=\"width:{100 * sparsity:0.#}%\"></b></span></td>");
            page.Add($"<td>{Center(center?.CenterPlus)}</td><td>{Center(center?.CenterMinus)}</td></tr>");
        }
        page.Raw("</tbody></table></div>");
        page.Add($"<h2>Surviving weights of {shown.Phase}</h2><p class=\"quiet\">The lines mark c+ and c-, from which ASNI-II starts.</p>");
        page.Raw("<div class=\"grid-of fine\">");
        foreach (Parameter p in shown.Model.Network.Weights)
        {
            centers.TryGetValue(p.Index, out LayerResult? center);
            page.Raw(WeightHistogram.Draw(p.Name, RunEvents.Survivors(shown.Model, p), center?.CenterPlus, center?.CenterMinus).ToString());
        }
        page.Raw("</div>");
        Parameter first = shown.Model.Network.Weights.First();
        string png = Convert.ToBase64String(FilterPicture.Draw(first, shown.Model.Values[first.Index]).Encode());
        page.Add($"<h2>First filters of {first.Name}</h2><img alt=\"first filters of {first.Name}\" src=\"data:image/png;base64,{png}\">");
    }

    private void Sizes(Markup page, IReadOnlyList<(string Name, long Bytes)> files)
    {
        long dense = sizeof(float) * _run.Run.Network.Parameters.Sum(p => p.Elements);
        IReadOnlyList<string> Row(string what, long bytes) => [what, Number(bytes, "N0"), Percent((double)bytes / dense)];
        page.Raw("<h2>Sizes</h2>").Raw(Page.Table(s_sizeColumns,
            [Row("all values as 32-bit floats", dense), .. files.Select(f => Row(f.Name, f.Bytes))]).ToString());
    }

    private static string Center(float? center) => center is { } c ? Number(c, "G5") : "";

    private static string Percent(double fraction) => double.IsFinite(fraction) ? Number(100 * fraction, "0.00") + " %" : "-";

    private static string Number(double value, string format) => value.ToString(format, CultureInfo.InvariantCulture);
}
