using Asni.Host;

namespace Asni.Tests.Host;

/// <summary>Runs the command line in this process.</summary>
internal static class CommandLine
{
    public sealed record Outcome(int ExitCode, string Output, string Error);

    public static Outcome Run(params string[] args)
    {
        var output = new StringWriter();
        var error = new StringWriter();
        int code = Entry.Run(args, HostConsole.Plain(output, error));
        return new Outcome(code, output.ToString(), error.ToString());
    }

    /// <summary>The run failed with one line on the error output that contains these words, and printed no stack trace.</summary>
    public static void ExpectFailure(int exitCode, string words, params string[] args)
    {
        Outcome outcome = Run(args);
        Assert.That(outcome.Error, Does.StartWith("asni: ").And.Contains(words));
        Assert.That(outcome.Error.TrimEnd().Split('\n'), Has.Length.EqualTo(1), outcome.Error);
        Assert.That(outcome.Error, Does.Not.Contain("   at "));
        Assert.That(outcome.ExitCode, Is.EqualTo(exitCode), outcome.Error);
    }
}
