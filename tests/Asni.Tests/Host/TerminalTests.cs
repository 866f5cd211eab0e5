using Asni.Host;
using Asni.Host.Display;
using Asni.Training;

namespace Asni.Tests.Host;

/// <summary>What a terminal gets: no control characters of others, no line wider than it is.</summary>
public class TerminalTests
{
    private static readonly EpochRecord s_epoch = new("asni1", 8, 160, 0.1, 1.25, 1.5, 0.5, 0.9, 0.9, 25_557_032, null, 1, 1_234_567);

    [TestCase("plain café 日本 👩‍👩‍👧", "plain café 日本 👩‍👩‍👧")]
    [TestCase("\u001b]0;title\a", @"\u001b]0;title\u0007")]
    [TestCase("a\nb\r\tc\0", @"a\nb\r\tc\u0000")]
    [TestCase("\u009b31m \u007f", @"\u009b31m \u007f")]
    [TestCase("gpj.\u202etxt \u2066 \u2028 \ufeff", @"gpj.\u202etxt \u2066 \u2028 \ufeff")]
    public void Control_characters_are_written_out(string text, string shown) => Assert.That(Printable.Line(text), Is.EqualTo(shown));

    [Test]
    public void A_stack_trace_keeps_its_lines() => Assert.That(Printable.Lines("one\r\n  two\u001b[2J"), Is.EqualTo("one\r\n  two\\u001b[2J"));

    [TestCase(true)]
    [TestCase(false)]
    public void Every_way_out_of_the_console_escapes(bool live)
    {
        const string evil = "x\u001b]0;pwned\a[red]\ny";
        using StringWriter output = new(), error = new();
        HostConsole console = live ? HostConsole.Terminal(output, error, 80) : HostConsole.Plain(output, error);
        console.Line(evil);
        console.Note(evil);
        console.Fail(evil);
        ConsoleTable table = console.NewTable([evil, "b", "c"]);
        table.AddRow(evil, "2", "3");
        console.Write(table);
        string all = output.ToString() + error;
        Assert.That(all, Does.Not.Contain("\u001b]").And.Not.Contain("\a").And.Contain(@"x\u001b]0;pwned\u0007[red]\ny"));
        // Five times: a line, a note, a failure, a head and a cell, each on one line.
        Assert.That(all.Split(@"[red]\ny"), Has.Length.EqualTo(6));
    }

    [TestCase(40)]
    [TestCase(60)]
    [TestCase(80)]
    [TestCase(100)]
    [TestCase(200)]
    public void Rows_of_epochs_and_tables_fit_the_terminal(int width)
    {
        string[] lines = Lines(width, console =>
        {
            TrainingDisplay display = TrainingDisplay.For(console, 160);
            display.OnPhaseStarted();
            display.OnEpochCompleted(s_epoch);
            ConsoleTable table = console.NewTable(["network", "a long head", "another long head", "and one more", "the last of the heads"], 1, 2, 3, 4);
            table.AddRow("resnet20", "25,557,032", "90.00 %", "1.5", "2");
            console.Write(table);
        });
        Assert.That(lines, Has.All.Length.LessThanOrEqualTo(width));
        Assert.That(lines[0], Does.StartWith("phase").And.Contain("epoch").And.Contain("top-1"));
        Assert.That(lines[1], Does.StartWith("asni1").And.Contain("9/160").And.Contain("50.00 %"), "the most wanted columns stay");
        Assert.That(lines[0].Contains("kept"), Is.EqualTo(width > 92), "the number of weights is told again at the end");
    }

    [Test]
    public void A_table_says_what_it_leaves_out()
    {
        string[] lines = Lines(50, console =>
        {
            ConsoleTable table = console.NewTable(["a", "b", "a column with a long head", "column four"]);
            table.AddRow("1", "2", "3", "4");
            console.Write(table);
        });
        Assert.That(string.Join(' ', lines), Does.Contain("columns that do not fit: column four"));
    }

    [Test]
    public void A_list_folds_its_text_and_loses_nothing()
    {
        string[] lines = Lines(40, console =>
        {
            ConsoleTable table = console.NewTable(["what", "found"]);
            table.AddRow("device cuda", "No CUDA driver was found; install NVIDIA's driver, or choose --device cpu.");
            console.Write(table);
        });
        Assert.That(lines, Has.All.Length.LessThanOrEqualTo(40));
        Assert.That(string.Join(' ', lines), Does.Contain("--device cpu."));
    }

    private static string[] Lines(int width, Action<HostConsole> print)
    {
        using var output = new StringWriter();
        print(HostConsole.Terminal(output, TextWriter.Null, width));
        return [.. output.ToString().Split('\n').Select(l => System.Text.RegularExpressions.Regex.Replace(l, @"\x1b\[[0-9;]*m", "").TrimEnd('\r'))];
    }
}
