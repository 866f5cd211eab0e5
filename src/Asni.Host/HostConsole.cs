using Asni.Distributed;
using Spectre.Console;

namespace Asni.Host;

/// <summary>Where a command prints. Plain text unless the output is a terminal that takes more.</summary>
internal sealed class HostConsole
{
    /// <summary>Wide enough that no table is folded in a file or a pipe.</summary>
    private const int PlainWidth = 4096;

    private HostConsole(TextWriter output, TextWriter error, bool isLive)
    {
        Output = output;
        Error = error;
        _isLive = isLive;
        _screen = new Lazy<IAnsiConsole>(() => NewScreen(output, isLive));
    }

    public TextWriter Output { get; }
    public TextWriter Error { get; }

    /// <summary>A terminal: progress may be redrawn in place. Launchers mix the output of ranks line by line.</summary>
    public bool IsLive => _isLive && Ranks.Size == 1;

    /// <summary>Of which rank 0 alone prints, but for failures.</summary>
    public Communicator Ranks { get; set; } = Communicator.Alone;

    /// <summary>Made when it is first used: some sixty methods of Spectre are compiled for it, and many commands print plain lines only.</summary>
    public IAnsiConsole Screen => _screen.Value;

    public static HostConsole OfProcess()
    {
        bool plain = Console.IsOutputRedirected || !string.IsNullOrEmpty(Environment.GetEnvironmentVariable("NO_COLOR"))
            || Environment.GetEnvironmentVariable("TERM") is "dumb";
        var output = new LastingWriter(Console.Out);
        // Set rather than only passed on: Spectre asks whether it writes to the terminal by comparing with Console.Out.
        Console.SetOut(output);
        return new HostConsole(Console.Out, new LastingWriter(Console.Error), !plain) { _lasting = output };
    }

    /// <summary>As <see cref="Plain"/>, to an output that may fail.</summary>
    public static HostConsole Lasting(TextWriter output, TextWriter error)
    {
        var lasting = new LastingWriter(output);
        return new HostConsole(lasting, error, isLive: false) { _lasting = lasting };
    }

    /// <summary>Why some of the output could not be written; null when all was.</summary>
    public Exception? OutputFailure => _lasting?.Failure;

    private readonly bool _isLive;
    private readonly Lazy<IAnsiConsole> _screen;
    private LastingWriter? _lasting;

    private static IAnsiConsole NewScreen(TextWriter output, bool isLive)
    {
        IAnsiConsole screen = AnsiConsole.Create(new AnsiConsoleSettings
        {
            Ansi = isLive ? AnsiSupport.Yes : AnsiSupport.No,
            ColorSystem = isLive ? ColorSystemSupport.Detect : ColorSystemSupport.NoColors,
            Interactive = isLive ? InteractionSupport.Yes : InteractionSupport.No,
            Out = new AnsiConsoleOutput(output),
        });
        if (!isLive) screen.Profile.Width = PlainWidth;
        return screen;
    }

    /// <summary>Prints to the given writers, without colours or redrawing.</summary>
    public static HostConsole Plain(TextWriter output, TextWriter error) => new(output, error, isLive: false);

    /// <summary>As a terminal of so many columns gets it.</summary>
    public static HostConsole Terminal(TextWriter output, TextWriter error, int width)
    {
        var console = new HostConsole(output, error, isLive: true);
        console.Screen.Profile.Width = width;
        return console;
    }

    /// <summary>One line, whatever the text holds.</summary>
    public void Line(string text = "")
    {
        if (Ranks.Rank > 0) return;
        text = Printable.Line(text);
        if (IsLive) Screen.WriteLine(text);
        else Output.WriteLine(text);
    }

    /// <summary>A line that stands out on a terminal.</summary>
    public void Note(string message)
    {
        if (IsLive) Screen.Write(new Text("note: " + Printable.Line(message) + Environment.NewLine, new Style(Color.Yellow)));
        else Line("note: " + message);
    }

    public void Fail(string message) => Error.WriteLine($"asni: {(Ranks.Size > 1 ? $"rank {Ranks.Rank} ({Environment.MachineName}): " : "")}{Printable.Line(message)}");

    /// <summary>A table with these columns; those in <paramref name="right"/> hold numbers.</summary>
    public ConsoleTable NewTable(IReadOnlyList<string> columns, params IReadOnlyList<int> right) => new(columns, right);

    public void Write(ConsoleTable table)
    {
        if (Ranks.Rank == 0) table.Write(Screen, IsLive ? TableBorder.Rounded : TableBorder.Ascii2);
    }

    /// <summary>Characters of a line.</summary>
    public int Width => Screen.Profile.Width;
}

/// <summary>Numbers as people read them, in invariant culture.</summary>
internal static class Format
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
        time.TotalDays >= 1000 ? Number(time.TotalDays / 365.25, "0") + " yrs"
        : time.TotalHours >= 1 ? $"{(int)time.TotalHours}:{time.Minutes:00}:{time.Seconds:00}" : $"{time.Minutes}:{time.Seconds:00}";
}
