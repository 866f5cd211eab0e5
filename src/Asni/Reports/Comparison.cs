using System.Globalization;
using Asni.Methods;
using Asni.Reports.Html;
using Asni.Runs;

namespace Asni.Reports;

/// <summary>One phase of runs that differ only in their seed.</summary>
/// <param name="Top1">Mean over the runs, a fraction; null when no run has it.</param>
/// <param name="Deviation">Sample standard deviation; null for fewer than two runs.</param>
/// <param name="Effective">Mean share of the weights that are on no live path; null when no run says it.</param>
/// <param name="LiveMacs">Mean multiply-accumulates of an image with the live weights; null when no run says it.</param>
/// <param name="AmenableBytes">Mean size of what ASNI-II started from; null for other phases.</param>
internal sealed record ComparedPhase(string Network, string Data, string Phase, IReadOnlyList<ulong> Seeds, double Sparsity, double? Effective, long Kept,
    long? LiveMacs, double? Top1, double? Deviation, long DenseBytes, long? AmenableBytes, double Seconds, bool Complete);

/// <summary>Runs side by side: seeds of one recipe are one row with mean and deviation.</summary>
internal sealed record Comparison(IReadOnlyList<ComparedPhase> Rows)
{
    private const int Colours = 6;

    private static readonly string[] s_columns = ["network", "data", "phase", "seeds", "sparsity", "effective sparsity", "top-1", "± over seeds", "kept", "MACs",
        "dense bytes", "amenable bytes", "seconds", ""];

    public static Comparison Create(IEnumerable<RunSummary> runs)
    {
        var phases = from run in runs
                     from phase in run.Phases
                     group (run, phase) by (run.Network, run.Data, run.Recipe, phase.Phase) into same
                     select Compare([.. same]);
        return new Comparison([.. phases
            .OrderBy(r => r.Network, StringComparer.Ordinal).ThenBy(r => r.Data, StringComparer.Ordinal).ThenBy(r => r.Sparsity)
            .ThenBy(r => r.Phase, StringComparer.Ordinal)]);
    }

    /// <summary>One page with the table and a plot of accuracy over sparsity.</summary>
    public string Html()
    {
        Markup page = new Markup().Raw("<h1>Runs compared</h1>");
        page.Raw(Page.Table(s_columns, Rows.Select(Cells)).ToString());
        var series = Rows.Where(r => r.Top1 is not null).GroupBy(r => $"{r.Network} {r.Data} {SeriesName(r.Phase)}").Select((g, i) =>
            new PointSeries(g.Key, i % Colours + 1, [.. g.Select(r => (100 * r.Sparsity, 100 * r.Top1!.Value, 100 * (r.Deviation ?? 0)))]));
        page.Raw(PointChart.Draw("Top-1 accuracy in % over sparsity", "sparsity, %", [.. series]).ToString());
        return Page.Render("Runs compared", page);
    }

    /// <summary>The rounds of one method are points of one curve.</summary>
    private static string SeriesName(string phase) => Imp.IsRound(phase) ? Imp.RoundName : StructuredPruning.IsRound(phase) ? StructuredPruning.PhaseName : phase;

    private static ComparedPhase Compare(IReadOnlyList<(RunSummary Run, PhaseSummary Phase)> same)
    {
        (RunSummary first, PhaseSummary phase) = same[0];
        double[] top1 = [.. same.Select(s => s.Phase.Top1).OfType<double>()];
        double? mean = top1.Length > 0 ? top1.Average() : null;
        double? deviation = top1.Length > 1 ? Math.Sqrt(top1.Sum(t => (t - mean!.Value) * (t - mean.Value)) / (top1.Length - 1)) : null;
        double[] effective = [.. same.Select(s => s.Phase.EffectiveSparsity).OfType<double>()], macs = [.. same.Select(s => s.Phase.LiveMacs).OfType<long>().Select(m => (double)m)];
        double[] amenable = phase.Phase == AsniII.PhaseName ? [.. same.Select(s => s.Run.AmenableBytes).OfType<long>().Select(b => (double)b)] : [];
        return new ComparedPhase(first.Network, first.Data, phase.Phase, [.. same.Select(s => s.Run.Seed).Order()],
            same.Average(s => s.Phase.Sparsity ?? 0), effective.Length > 0 ? effective.Average() : null, (long)same.Average(s => s.Phase.Kept),
            macs.Length > 0 ? (long)macs.Average() : null, mean, deviation, sizeof(float) * first.Parameters,
            amenable.Length > 0 ? (long)amenable.Average() : null,
            same.Average(s => s.Phase.Seconds ?? 0), same.All(s => s.Phase.Complete));
    }

    private static IReadOnlyList<string> Cells(ComparedPhase r)
    {
        static string Number(double? value, string format) => value?.ToString(format, CultureInfo.InvariantCulture) ?? "";
        return
        [
            r.Network, r.Data, r.Phase, string.Join(", ", r.Seeds), Number(100 * r.Sparsity, "0.00") + " %",
            r.Effective is null ? "" : Number(100 * r.Effective, "0.00") + " %",
            r.Top1 is null ? "-" : Number(100 * r.Top1, "0.00") + " %", Number(100 * r.Deviation, "0.00"), Number(r.Kept, "N0"), Number(r.LiveMacs, "N0"),
            Number(r.DenseBytes, "N0"), Number(r.AmenableBytes, "N0"), Number(r.Seconds, "0.0"), r.Complete ? "" : "cut short",
        ];
    }
}
