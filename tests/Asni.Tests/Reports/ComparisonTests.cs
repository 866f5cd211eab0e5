using System.Text.RegularExpressions;
using System.Xml.Linq;
using Asni.Reports;
using Asni.Runs;
using Asni.Tests.Host;

namespace Asni.Tests.Reports;

public class ComparisonTests : FolderTest
{
    [Test]
    public void Runs_that_differ_only_in_their_seed_are_one_row_with_mean_and_deviation()
    {
        string[] runs = [Run("a", 1, 0.9, 0.8), Run("b", 2, 0.9, 0.6), Run("c", 1, 0.5, 0.95, told: false)];
        var comparison = Comparison.Create(runs.Select(RunSummary.Read));
        Assert.That(comparison.Rows.Select(r => (r.Sparsity, r.Seeds.Count)), Is.EqualTo(new[] { (0.5, 1), (0.9, 2) }));
        ComparedPhase both = comparison.Rows[1];
        Assert.That(both.Seeds, Is.EqualTo(new ulong[] { 1, 2 }));
        Assert.That(both.Top1, Is.EqualTo(0.7).Within(1e-12));
        Assert.That(both.Deviation, Is.EqualTo(Math.Sqrt(0.02)).Within(1e-12), "0.8 and 0.6: n - 1 in the denominator");
        Assert.That((both.DenseBytes, both.AmenableBytes), Is.EqualTo((400L, 5L)));
        Assert.That(comparison.Rows[0].Deviation, Is.Null);
        Assert.That((both.Effective, both.LiveMacs), Is.EqualTo((0.95, 8L)).Using<(double? A, long? B)>((x, y) => Math.Abs(x.A!.Value - y.A!.Value) < 1e-12 && x.B == y.B));
        Assert.That((comparison.Rows[0].Effective, comparison.Rows[0].LiveMacs), Is.EqualTo(((double?)null, (long?)null)), "a folder of before these were written");
    }

    [Test]
    public void The_table_is_printed_and_the_page_written()
    {
        string page = _folder["c.html"];
        CommandLine.Outcome outcome = CommandLine.Run("compare", Run("a", 1, 0.9, 0.8), Run("b", 2, 0.9, 0.6), Run("c", 3, 0.5, null), "--out", page);
        Assert.That(outcome.ExitCode, Is.Zero, outcome.Error);
        Assert.That(outcome.Output, Does.Contain("70.00 %").And.Contain("95.00 %").And.Contain("14.14").And.Contain("1,2"));
        string html = File.ReadAllText(page);
        Assert.That(html, Does.Contain("70.00 %").And.Contain("95.00 %").And.Not.Contain("http"));
        Assert.That(() => XElement.Parse(Regex.Match(html, "<svg.*?</svg>", RegexOptions.Singleline).Value), Throws.Nothing);
    }

    [Test]
    public void Rounds_of_imp_are_one_series()
    {
        string folder = _folder["imp"];
        Directory.CreateDirectory(folder);
        File.WriteAllText(Path.Combine(folder, "recipe.yaml"), "net: tiny\nmethod: imp\nseed: 1\n");
        static string Phase(string name, double sparsity) =>
            FormattableString.Invariant($$"""{{name}}: {"top1": 0.9, "sparsity": {{sparsity}}, "kept": 10, "seconds": 2, "complete": true}""");
        File.WriteAllText(Path.Combine(folder, "summary.json"), $$"""
            {"network": "tiny", "data": "digits", "seed": 1, "parameters": 100, {{Phase("\"dense\"", 0)}}, {{Phase("\"imp1\"", 0.2)}}, {{Phase("\"imp2\"", 0.36)}}, {{Phase("\"imp10\"", 0.89)}} }
            """);
        string html = Comparison.Create([RunSummary.Read(folder)]).Html();
        Assert.That(html, Does.Contain("tiny digits dense").And.Contain("tiny digits imp").And.Not.Contain("tiny digits imp1"));
        Assert.That(Regex.Count(html, "<td>imp\\d+</td>"), Is.EqualTo(3), "rows of their own");
    }

    [Test]
    public void What_is_no_run_is_one_sentence()
    {
        CommandLine.ExpectFailure(1, "has no summary.json", "compare", _folder.Path);
        string run = Run("a", 1, 0.9, 0.8);
        CommandLine.ExpectFailure(2, "named twice", "compare", run, run + "/");
        foreach (string damaged in new[] { "{", "[]", "{}", """{"network": 3}""" })
        {
            File.WriteAllText(Path.Combine(run, "summary.json"), damaged);
            CommandLine.ExpectFailure(1, "is damaged", "compare", run);
        }
    }

    private string Run(string name, int seed, double sparsity, double? top1, bool told = true)
    {
        string folder = _folder[name];
        Directory.CreateDirectory(folder);
        File.WriteAllText(Path.Combine(folder, "recipe.yaml"), $"net: tiny\nseed: {seed}\nmag1: {FormattableString.Invariant($"{sparsity}")}\n");
        File.WriteAllBytes(Path.Combine(folder, "asni2-init.asni"), new byte[5]);
        File.WriteAllText(Path.Combine(folder, "summary.json"), FormattableString.Invariant($$"""
            {"network": "tiny", "data": "digits", "seed": {{seed}}, "parameters": 100,
             "asni2": {"top1": {{(top1 is { } t ? FormattableString.Invariant($"{t}") : "null")}}, "sparsity": {{sparsity}}, "kept": 10, {{(told ? FormattableString.Invariant($"\"effective_sparsity\": {(1 + sparsity) / 2}, \"live_macs\": {7 + 2 * (seed - 1)},") : "")}} "seconds": 2, "complete": true} }
            """));
        return folder;
    }
}
