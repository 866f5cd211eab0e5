using Asni.Host;

namespace Asni.Fuzz;

/// <summary>Runs commands within the process.</summary>
internal static class CommandLine
{
    /// <exception cref="AsniException">The command refused the file, as it may.</exception>
    /// <exception cref="InvalidOperationException">It failed in a way that no user can act on.</exception>
    public static void Run(params string[] arguments)
    {
        using var output = new StringWriter();
        using var error = new StringWriter();
        int code = Entry.Run([.. arguments, "--verbose"], HostConsole.Plain(output, error));
        string text = error.ToString();
        if (text.Contains("internal error", StringComparison.Ordinal) || text.Contains("not enough memory", StringComparison.Ordinal))
            throw new InvalidOperationException(text.Split('\n')[0] + text.Split('\n').FirstOrDefault(l => l.Contains(" at Asni", StringComparison.Ordinal)));
        if (code != 0) throw new AsniException(text.Split('\n')[0]);
    }
}
