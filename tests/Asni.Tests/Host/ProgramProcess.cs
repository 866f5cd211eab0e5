using System.Diagnostics;
using System.Globalization;
using Asni.Host;

namespace Asni.Tests.Host;

/// <summary>The program as a process of its own, to be sent signals.</summary>
internal sealed class ProgramProcess : IDisposable
{
    private static readonly string s_program = System.IO.Path.ChangeExtension(typeof(Entry).Assembly.Location, ".dll");

    private readonly Process _process;
    private readonly Task<string> _output, _error;

    public ProgramProcess(params string[] args) : this([], args) { }

    /// <param name="environment">Variables that it gets besides those of the tests.</param>
    public ProgramProcess(Dictionary<string, string> environment, string[] args) : this("dotnet", environment, [s_program, .. args]) { }

    private ProgramProcess(string file, Dictionary<string, string> environment, string[] args)
    {
        var start = new ProcessStartInfo(file) { RedirectStandardOutput = true, RedirectStandardError = true };
        foreach (string arg in args) start.ArgumentList.Add(arg);
        foreach ((string name, string value) in environment) start.Environment[name] = value;
        _process = Process.Start(start)!;
        (_output, _error) = (_process.StandardOutput.ReadToEndAsync(), _process.StandardError.ReadToEndAsync());
    }

    /// <summary>The program's file, for dotnet.</summary>
    public static string Path => s_program;

    /// <summary>The file of a program of the repository that is built with the tests; without it the test is passed over.</summary>
    /// <param name="project">The folders from the root to the project's.</param>
    public static string Built(params string[] project)
    {
        string output = System.IO.Path.GetFileName(System.IO.Path.GetDirectoryName(System.IO.Path.GetDirectoryName(typeof(ProgramProcess).Assembly.Location)))!;
        string file = System.IO.Path.Combine([ArchitectureTests.Root, .. project, "bin", output, "net10.0", project[^1] + ".dll"]);
        Assume.That(File.Exists(file), $"{project[^1]} was built with the tests");
        return file;
    }

    /// <summary>Another program, which starts it.</summary>
    public static ProgramProcess Of(string file, Dictionary<string, string> environment, string[] args) => new(file, environment, args);

    /// <summary>The same with its output redirected as a shell does it.</summary>
    public static ProgramProcess Redirected(string redirection, params string[] args) =>
        new("sh", [], ["-c", $"exec dotnet \"$@\" {redirection}", "sh", s_program, .. args]);

    public string Output => _output.Result;
    public string Error => _error.Result;

    /// <summary>True when it ended by itself within so long.</summary>
    public bool EndsWithin(int milliseconds) => _process.WaitForExit(milliseconds);

    /// <summary>Waits for something that the program does, a minute at most.</summary>
    public void WaitUntil(Func<bool> done)
    {
        var patience = Stopwatch.StartNew();
        while (!done() && !_process.HasExited && patience.Elapsed < TimeSpan.FromMinutes(1)) Thread.Sleep(1);
        Assert.That(done(), "it comes as far; it printed: " + (_process.HasExited ? Output + Error : "nothing yet"));
    }

    /// <param name="name">TERM, HUP, INT or KILL.</param>
    public void Signal(string name)
    {
        if (name == "KILL")
        {
            // At once: starting a program for it may take longer than what is to be stopped.
            _process.Kill();
            return;
        }
        using Process kill = Process.Start("kill", ["-" + name, _process.Id.ToString(CultureInfo.InvariantCulture)]);
        kill.WaitForExit();
    }

    /// <summary>Its exit code, once it has stopped.</summary>
    public int ExitCode()
    {
        Assert.That(_process.WaitForExit(120_000), "it stops");
        return _process.ExitCode;
    }

    /// <summary>
    /// Passes over a test of a signal that whoever started the tests ignores: a shell does so with Ctrl-C for what it runs in the background, nohup with HUP.
    /// </summary>
    public static void AssumeArrives(string signal)
    {
        const string status = "/proc/self/status";
        int number = signal switch { "HUP" => 1, "INT" => 2, _ => 15 };
        if (!File.Exists(status)) return;
        string? ignored = File.ReadLines(status).FirstOrDefault(line => line.StartsWith("SigIgn:", StringComparison.Ordinal));
        Assume.That(ignored is null || (Convert.ToUInt64(ignored["SigIgn:".Length..].Trim(), 16) >> (number - 1) & 1) == 0,
            $"SIG{signal} is ignored here, and so in what the tests start");
    }

    public void Dispose()
    {
        if (!_process.HasExited) _process.Kill();
        _process.Dispose();
    }
}
