using System.Diagnostics;
using System.Text.RegularExpressions;
using System.Xml.Linq;
using Asni.Methods;
using Asni.Pruning;
using Asni.Reports;
using Asni.Reports.Html;
using Asni.Runs;
using Asni.Tests.Formats;
using Asni.Training;

namespace Asni.Tests.Reports;

public partial class RunReportTests
{
    private static readonly string[] s_browsers = ["chromium", "chromium-browser", "google-chrome"];

    private static readonly RunDescription s_run = new(TinyNetwork.Network, "digits", "made <b>up</b> & drawn", "cpu", Seed: 7,
        TrainImages: 10, TestImages: 5)
    {
        Recipe = new Recipe { Epochs = 4, Method = new AsniI { Schedule = new SparsitySchedule { Scale1 = 1 }, Sparsity = 0.5 } },
    };

    [Test]
    public void The_page_needs_nothing_else_and_its_drawings_are_well_formed()
    {
        string html = Html();
        Assert.That(html, Does.Not.Contain("http").And.Not.Contain("<script").And.Not.Contain("@import"));
        List<XElement> drawings = [.. Drawing().Matches(html).Select(m => XElement.Parse(m.Value))];
        Assert.That(drawings, Has.Count.EqualTo(5 + 2), "five charts and a histogram for each weight tensor");
        Assert.That(html, Does.Not.Contain("NaN").And.Not.Contain("∞"));
    }

    [Test]
    public void What_runs_are_called_is_text_and_not_markup() =>
        Assert.That(Html(), Does.Contain("made &lt;b&gt;up&lt;/b&gt; &amp; drawn").And.Not.Contain("made <b>"));

    [Test]
    public void Both_phases_lie_on_one_axis_with_the_planned_sparsity()
    {
        string html = Html();
        Assert.That(html, Does.Contain("asni2, epoch 8:"), "four epochs of each phase");
        Assert.That(html, Does.Contain("planned").And.Contain("c+ 0.5").And.Contain("c- -0.25").And.Contain("c- none"));
        Assert.That(html, Does.Contain("net: tiny &lt;1&gt;").And.Contain("asni2-init.asni").And.Contain("data:image/png;base64,"));
    }

    [Test]
    public void Epochs_that_a_phase_does_not_train_take_no_room()
    {
        var epochs = from phase in new[] { "dense", "imp1", "imp2" }
                     from e in Enumerable.Range(0, 6)
                     where phase == "dense" || e >= 4
                     select new EpochRecord(phase, e, 6, 1e-3, 0.5, 0.6, 0.9, 0.99, 0.1 * e, 12, null, 1.5, 1000);
        string html = RunReport.Write(new RunSoFar(s_run, [.. epochs], [], true, "", []));
        Assert.That(html, Does.Contain("imp1, epoch 7:").And.Contain("imp1, epoch 8:").And.Contain("imp2, epoch 9:").And.Contain("imp2, epoch 10:"));
        Assert.That(html, Does.Not.Contain("epoch 11:"));
    }

    [Test]
    public void A_run_that_has_only_begun_has_a_report_too() =>
        Assert.That(RunReport.Write(new RunSoFar(s_run, [], [], false, "", [])), Does.Contain("Not complete"));

    [Test]
    public void Thousands_of_epochs_make_no_thousands_of_points()
    {
        (double, double)[] points = [.. Enumerable.Range(0, 5000).Select(i => ((double)i, (double)i))];
        string svg = LineChart.Draw("t", "", [new Series("s", 1, points)], [], fromZero: true).ToString();
        Assert.That(Regex.Count(svg, "<circle"), Is.InRange(500, 601));
        Assert.That(svg, Does.Contain("epoch 4,999:"), "the last one stays");
    }

    [TestCase(0, 100, 5, new[] { 0.0, 20, 40, 60, 80, 100 })]
    [TestCase(0.13, 0.87, 5, new[] { 0, 0.2, 0.4, 0.6, 0.8, 1 })]
    [TestCase(-3, 7, 3, new[] { -5.0, 0, 5, 10 })]
    public void Axes_have_round_marks(double low, double high, int ticks, double[] marks) =>
        Assert.That(Axis.Over([low, high], 0, 1, ticks).Ticks, Is.EqualTo(marks).Within(1e-12));

    [Test]
    public void An_axis_of_one_value_or_none_has_some_length()
    {
        foreach (double[] values in new double[][] { [3], [0], [], [double.NaN] })
        {
            Axis axis = Axis.Over(values, 0, 100, 5);
            Assert.That(axis.High, Is.GreaterThan(axis.Low));
            Assert.That(axis.Ticks, Is.Not.Empty);
        }
    }

    /// <summary>The mean of three equal values and their spread can differ from them in the last bit.</summary>
    [TestCase(0.1, 0.10000000000000002)]
    [TestCase(0.09999999999999998, 0.1)]
    [TestCase(1e15, 1e15 + 0.25)]
    [TestCase(-3e-320, 2e-320)]
    [TestCase(-1.7e308, 1.7e308)]
    public void An_axis_has_few_marks_however_near_or_far_its_values_lie(double low, double high)
    {
        Axis axis = Axis.Over([low, low, high], 0, 100, 5);
        Assert.That(axis.Ticks, Has.Count.InRange(2, 20));
        Assert.That(axis.Ticks.Select(axis.At), Is.All.InRange(-1e-6, 100 + 1e-6));
    }

    [Test]
    public void A_browser_shows_it_without_a_complaint()
    {
        using var folder = new TemporaryFolder();
        File.WriteAllText(folder["report.html"], Html());
        foreach (string browser in s_browsers)
        {
            string[] arguments = ["--headless", "--no-sandbox", "--disable-gpu", "--no-first-run", "--disable-background-networking",
                "--enable-logging", $"--user-data-dir={folder["profile"]}",
                $"--screenshot={folder["page.png"]}", "--window-size=1250,2000", "file://" + folder["report.html"]];
            try
            {
                using Process process = Process.Start(new ProcessStartInfo(browser, arguments)
                {
                    RedirectStandardError = true,
                    RedirectStandardOutput = true
                })!;
                // Its helpers may hold the pipes open for long after it left.
                bool left = process.WaitForExit(TimeSpan.FromSeconds(30));
                if (!left) process.Kill(entireProcessTree: true);
                Assert.That(left, Is.True);
                Assert.That(File.ReadAllText(folder["profile/chrome_debug.log"]), Does.Not.Contain("CONSOLE"));
                Assert.That(new FileInfo(folder["page.png"]).Length, Is.GreaterThan(20_000), "an empty page takes less");
                return;
            }
            catch (System.ComponentModel.Win32Exception)
            {
                // Not this one.
            }
        }
        Assert.Ignore("not checked: there is no Chromium.");
    }

    [Test]
    public void The_layers_are_those_of_the_last_phase_that_is_no_control() =>
        Assert.That(RunReport.Write(new RunSoFar(s_run, [], [Phase("snip"), Phase("shuffle"), Phase("invert")], true, "", [])), Does.Contain("Layers after snip"));

    private static PhaseResult Phase(string name) => new(name, 0.9, 0.99, double.NaN, 1.0 / 3, 12, 3.5, TinyNetwork.TakeSnapshot(), TinyNetwork.TakeSnapshot());

    private static string Html()
    {
        var epochs = from phase in new[] { "asni1", "asni2" }
                     from e in Enumerable.Range(0, 4)
                     select new EpochRecord(phase, e, 4, 1e-3, 0.5 / (e + 1), e == 2 ? double.NaN : 0.6, 0.9, 0.99, 0.1 * e, 12, null, 1.5, 1000);
        PhaseResult second = Phase("asni2") with
        {
            Layers = [new LayerResult(TinyNetwork.Network.Parameters[0], 6, 0.5f, -0.25f),
                new LayerResult(TinyNetwork.Network.Parameters[2], 6, 1.5f, null)],
        };
        return RunReport.Write(new RunSoFar(s_run, [.. epochs], [Phase("asni1"), second], true, "net: tiny <1>\n", [("asni2-init.asni", 77)]));
    }

    [GeneratedRegex("<svg.*?</svg>", RegexOptions.Singleline)]
    private static partial Regex Drawing();
}
