using Spectre.Console;

namespace Asni.Host;

/// <summary>Where a command prints. Plain text unless the output is a terminal that takes more.</summary>
internal sealed class HostConsole
{
    /// <summary>Wide enough that no table is folded in a file or a pipe.</summary>
    private const int PlainWidth = 160;

    private HostConsole(TextWriter output, TextWriter error, bool isLive)
    {
        Output = output;
        Error = error;
        IsLive = isLive;
        Screen = AnsiConsole.Create(new AnsiConsoleSettings
        {
            Ansi = isLive ? AnsiSupport.Yes : AnsiSupport.No,
            ColorSystem = isLive ? ColorSystemSupport.Detect : ColorSystemSupport.NoColors,
            Interactive = isLive ? InteractionSupport.Yes : InteractionSupport.No,
            Out = new AnsiConsoleOutput(output),
        });
        if (!isLive) Screen.Profile.Width = PlainWidth;
    }

    public TextWriter Output { get; }
    public TextWriter Error { get; }

    /// <summary>A terminal: progress may be redrawn in place.</summary>
    public bool IsLive { get; }
    public IAnsiConsole Screen { get; }

    public static HostConsole OfProcess()
    {
        bool plain = Console.IsOutputRedirected || !string.IsNullOrEmpty(Environment.GetEnvironmentVariable("NO_COLOR"))
            || Environment.GetEnvironmentVariable("TERM") is "dumb";
        return new HostConsole(Console.Out, Console.Error, !plain);
    }

    /// <summary>Prints to the given writers, without colours or redrawing.</summary>
    public static HostConsole Plain(TextWriter output, TextWriter error) => new(output, error, isLive: false);

    public void Line(string text = "")
    {
        if (IsLive) Screen.WriteLine(text);
        else Output.WriteLine(text);
    }

    public void Fail(string message) => Error.WriteLine("asni: " + message);

    /// <summary>A table with these columns; those in <paramref name="right"/> hold numbers.</summary>
    public Table NewTable(IReadOnlyList<string> columns, params IReadOnlyList<int> right)
    {
        var table = new Table { Border = IsLive ? TableBorder.Rounded : TableBorder.Ascii2 };
        for (int i = 0; i < columns.Count; i++)
        {
            var column = new TableColumn(new Text(columns[i])) { NoWrap = true };
            table.AddColumn(right.Contains(i) ? column.RightAligned() : column);
        }
        return table;
    }

    public void Write(Table table) => Screen.Write(table);
}

/// <summary>Numbers as people read them, in invariant culture.</summary>
internal static class Show
{
    public static string Count(long n) => n.ToString("N0", System.Globalization.CultureInfo.InvariantCulture);
    public static string Percent(double fraction) =>
        double.IsFinite(fraction) ? (fraction * 100).ToString("0.00", System.Globalization.CultureInfo.InvariantCulture) + " %" : "-";

    /// <summary>Of a network that diverges, in few characters too.</summary>
    public static string Loss(double loss) => Number(loss, Math.Abs(loss) < 1e5 || !double.IsFinite(loss) ? "0.0000" : "0.00e+0");

    public static string Number(double value, string format) => value.ToString(format, System.Globalization.CultureInfo.InvariantCulture);

    public static string Bytes(long bytes) => bytes switch
    {
        >= 1L << 30 => Number((double)bytes / (1L << 30), "0.0") + " GiB",
        >= 1L << 20 => Number((double)bytes / (1L << 20), "0.0") + " MiB",
        >= 1L << 10 => Number((double)bytes / (1L << 10), "0.0") + " KiB",
        _ => bytes + " B",
    };

    public static string Time(TimeSpan time) =>
        time.TotalHours >= 1 ? $"{(int)time.TotalHours}:{time.Minutes:00}:{time.Seconds:00}" : $"{time.Minutes}:{time.Seconds:00}";
}
