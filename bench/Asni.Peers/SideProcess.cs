using System.ComponentModel;
using System.Diagnostics;
using System.Globalization;
using System.Text.Json;
using Asni.Bench;

namespace Asni.Peers;

/// <summary>A side in a process of its own, so that no engine's threads disturb another's. It measures when it is told to, and waits otherwise.</summary>
internal sealed class SideProcess : IDisposable
{
    private static readonly JsonSerializerOptions s_json = new() { NumberHandling = System.Text.Json.Serialization.JsonNumberHandling.AllowNamedFloatingPointLiterals };

    private readonly Process _process;
    private readonly Task<string> _errors;

    /// <param name="host">A program that runs .NET assemblies; null for what runs this one.</param>
    /// <exception cref="AsniException">The side cannot compute here; the message is its own.</exception>
    public SideProcess(string name, string[] arguments, string? host)
    {
        Name = name;
        var start = new ProcessStartInfo(host ?? Environment.ProcessPath!) { RedirectStandardInput = true, RedirectStandardOutput = true, RedirectStandardError = true };
        // `dotnet FILE.dll` is run as such again, the program of its own name without the file.
        string assembly = typeof(SideProcess).Assembly.Location;
        if (host is not null || Path.GetFileNameWithoutExtension(Environment.ProcessPath) == "dotnet") start.ArgumentList.Add(assembly);
        foreach (string argument in (string[])["side", name, .. arguments]) start.ArgumentList.Add(argument);
        _process = Start(start);
        _errors = _process.StandardError.ReadToEndAsync();
        try
        {
            Introduction = Read<Introduction>();
        }
        catch (AsniException)
        {
            Dispose();
            throw;
        }
    }

    public string Name { get; }

    public Introduction Introduction { get; }

    public List<Measurement> Measurements { get; } = [];

    /// <summary>It is not measured any more, and what it measured does not count.</summary>
    public bool HasFailed { get; set; }

    /// <summary>Median over the rounds of the median milliseconds of a step.</summary>
    public double Milliseconds => Measurements.Select(m => m.Milliseconds).Order().ElementAt(Measurements.Count / 2);

    public double PeakMebibytes => Measurements.Max(m => m.PeakMebibytes);

    /// <exception cref="AsniException">The process has ended, or said something else.</exception>
    public void Measure(double seconds)
    {
        try
        {
            _process.StandardInput.WriteLine(seconds.ToString(CultureInfo.InvariantCulture));
        }
        catch (IOException)
        {
            // Read tells why.
        }
        try
        {
            Measurements.Add(Read<Measurement>());
        }
        catch (AsniException)
        {
            HasFailed = true;
            throw;
        }
    }

    /// <summary>What such a process does: tells who it is and what it computes, then answers each line, a number of seconds, with a measurement.</summary>
    public static int Serve(string name, string[] arguments)
    {
        // What engines say, TorchSharp while it looks for its library, is no answer.
        TextWriter answers = Console.Out;
        Console.SetOut(Console.Error);
        using ISide side = Sides.Create(name, StepOptions.Parse(arguments));
        float[] answer = side.Answer();
        ForgetPeak();
        answers.WriteLine(JsonSerializer.Serialize(new Introduction(side.Engine, answer), s_json));
        while (Console.ReadLine() is { } line)
        {
            double[] times = Steps.Measure(side.Step, double.Parse(line, CultureInfo.InvariantCulture));
            using Process self = Process.GetCurrentProcess();
            answers.WriteLine(JsonSerializer.Serialize(new Measurement(times[times.Length / 2], self.PeakWorkingSet64 / 1048576.0)));
        }
        return 0;
    }

    public void Dispose()
    {
        try
        {
            _process.StandardInput.Close();
            if (!_process.WaitForExit(TimeSpan.FromSeconds(20)))
            {
                _process.Kill();
                _process.WaitForExit();
            }
        }
        catch (Exception e) when (e is InvalidOperationException or IOException)
        {
            // It has ended already.
        }
        _process.Dispose();
    }

    private static Process Start(ProcessStartInfo start)
    {
        try
        {
            return Process.Start(start) ?? throw new AsniException($"{start.FileName} cannot be started.");
        }
        catch (Exception e) when (e is Win32Exception or InvalidOperationException)
        {
            throw new AsniException($"{start.FileName} cannot be started: {e.Message}");
        }
    }

    /// <summary>The most memory counts from here on, without what building the network took. Where the system cannot, it counts from the start.</summary>
    private static void ForgetPeak()
    {
        GC.Collect();
        GC.WaitForPendingFinalizers();
        GC.Collect();
        try
        {
            if (OperatingSystem.IsLinux()) File.WriteAllText("/proc/self/clear_refs", "5");
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
        }
    }

    private T Read<T>()
    {
        if (_process.StandardOutput.ReadLine() is { } line)
        {
            try
            {
                return JsonSerializer.Deserialize<T>(line, s_json)!;
            }
            catch (JsonException)
            {
                throw new AsniException($"{Name}: said '{line}' in place of its measurement");
            }
        }
        _process.WaitForExit();
        string? said = _errors.Result.Split('\n', StringSplitOptions.RemoveEmptyEntries | StringSplitOptions.TrimEntries).LastOrDefault(line => !line.StartsWith("at ", StringComparison.Ordinal));
        throw new AsniException($"{Name}: {said?.TrimEnd('.') ?? $"exit code {_process.ExitCode}"}");
    }
}

/// <param name="Engine">Name and version.</param>
/// <param name="Answer">See <see cref="ISide.Answer"/>.</param>
internal sealed record Introduction(string Engine, float[] Answer);

/// <param name="Milliseconds">Median of a step.</param>
/// <param name="PeakMebibytes">The most memory of the process so far.</param>
internal sealed record Measurement(double Milliseconds, double PeakMebibytes);
