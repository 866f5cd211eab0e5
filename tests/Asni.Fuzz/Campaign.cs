using System.Diagnostics;
using System.Globalization;

namespace Asni.Fuzz;

/// <summary>Attacks one format for a while, and keeps the inputs that its reader does not stand.</summary>
internal sealed class Campaign(FuzzedFormat format, int seed, string output)
{
    private const int KeptOfAKind = 3;

    private readonly SortedDictionary<string, int> _faults = new(StringComparer.Ordinal);
    private readonly string _work = Path.Combine(Directory.Exists("/dev/shm") ? "/dev/shm" : Path.GetTempPath(), $"asni-fuzz-{Environment.ProcessId}");
    private long _number;

    /// <summary>Where an input lies while it is read: there it is found when the process dies of it.</summary>
    public static string Running(string output, string name) => Path.Combine(output, name + ".running");

    /// <summary>Ends after the seconds or the inputs, whichever is first.</summary>
    /// <returns>Whether no input was a fault.</returns>
    public bool Run(double seconds, long inputs)
    {
        Directory.CreateDirectory(_work);
        Directory.CreateDirectory(output);
        string path = Path.Combine(_work, format.FileName);
        File.WriteAllText(Running(output, format.Name), path);
        var watch = new Watch(hangs: () =>
        {
            Keep("does not end");
            Environment.Exit(3);
        });
        long accepted = 0;
        var total = Stopwatch.StartNew();
        for (; _number < inputs && total.Elapsed.TotalSeconds < seconds; _number++)
        {
            byte[] input = format.Input(seed, _number);
            File.WriteAllBytes(path, input);
            if (Fault(watch, path, input.Length, ref accepted) is { } fault) Keep(fault);
        }
        Directory.Delete(_work, recursive: true);
        File.Delete(Running(output, format.Name));
        Console.WriteLine(string.Create(CultureInfo.InvariantCulture,
            $"{format.Name}: {_number} inputs in {total.Elapsed.TotalSeconds:0} s, {accepted} read, longest {watch.LongestSeconds:0.00} s, process at most {watch.LargestBytes >> 20} MiB")
            + string.Concat(_faults.Select(f => $"\n  {f.Value} times: {f.Key}")));
        return _faults.Count == 0;
    }

    /// <summary>What is wrong about how an input was read; null for one that was read, or refused as it should be.</summary>
    private string? Fault(Watch watch, string path, int bytes, ref long accepted)
    {
        try
        {
            watch.Time(bytes, () => format.Load(path));
            accepted++;
        }
        catch (AsniException e)
        {
            if (string.IsNullOrWhiteSpace(e.Message)) return "refused without a reason";
        }
        catch (Exception e)
        {
            string? place = new StackTrace(e).GetFrames().Select(f => f.GetMethod()).Where(m => m?.DeclaringType?.FullName?.StartsWith("Asni", StringComparison.Ordinal) == true)
                .Select(m => $"{m!.DeclaringType!.Name}.{m.Name}").FirstOrDefault();
            return $"{e.GetType().Name} in {place}: {e.Message.Split('\n')[0]}";
        }
        // Numbers differ from input to input, kinds do not.
        return watch.TooMuch is null ? null : watch.TooMuch.Contains("MiB", StringComparison.Ordinal) ? "more memory than allowed" : "more time than allowed";
    }

    private void Keep(string fault)
    {
        string kind = fault[..Math.Min(fault.Length, 200)];
        int before = _faults.GetValueOrDefault(kind);
        _faults[kind] = before + 1;
        if (before >= KeptOfAKind) return;
        string name = $"{format.Name}-{seed}-{_number}{Path.GetExtension(format.FileName)}";
        File.Copy(Path.Combine(_work, format.FileName), Path.Combine(output, name), overwrite: true);
        Console.WriteLine($"{format.Name}: {name}: {fault}");
    }
}
