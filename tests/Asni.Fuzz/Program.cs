using System.Diagnostics;
using System.Globalization;
using Asni.Fuzz;

// fuzz MINUTES [FORMAT...]: each format (all when none is named) for so many minutes, as many at once as there are processors, each in a process of its own.
// fuzz --inputs COUNT [FORMAT...]: the same with so many inputs a format, however long they take.
// fuzz read FORMAT FILE: one file, as after a fault. fuzz list: the formats.
const string usage = "usage: fuzz MINUTES [FORMAT...] | --inputs COUNT [FORMAT...] | read FORMAT FILE | list";
const string output = "fuzz-out";

if (args is ["list"])
{
    foreach (FuzzedFormat format in FuzzedFormat.All) Console.WriteLine($"{format.Name}: {format.Seeds.Length} seeds of {string.Join(", ", format.Seeds.Select(s => s.Length))} bytes");
    return 0;
}
if (args is ["read", var named, var file])
{
    Find(named).Load(file);
    Console.WriteLine("read");
    return 0;
}
if (args is ["one", var name, var seconds, var inputs, var seed])
    return new Campaign(Find(name), (int)Whole(seed), output).Run(Number(seconds), Whole(inputs)) ? 0 : 1;
bool counts = args is ["--inputs", ..];
string[] rest = counts ? args[1..] : args;
if (rest.Length == 0 || !double.TryParse(rest[0], NumberStyles.Float, CultureInfo.InvariantCulture, out double max))
{
    Console.Error.WriteLine(usage);
    return 2;
}
(double secondsEach, long inputsEach) = counts ? (double.PositiveInfinity, (long)max) : (max * 60, long.MaxValue);
string[] formats = rest.Length > 1 ? rest[1..] : [.. FuzzedFormat.All.Select(f => f.Name)];
foreach (string format in formats) Find(format);
// Every campaign has other inputs; the seed of one repeats it.
int start = (int)(DateTime.UtcNow - DateTime.UnixEpoch).TotalMinutes;
int faults = 0;
Parallel.ForEach(formats, new ParallelOptions { MaxDegreeOfParallelism = Environment.ProcessorCount }, format =>
{
    if (!Attack(format, secondsEach, inputsEach, start)) Interlocked.Increment(ref faults);
});
Console.WriteLine(faults == 0 ? $"{formats.Length} formats stood it." : $"{faults} of {formats.Length} formats did not; the inputs are in {output}.");
return faults == 0 ? 0 : 1;

static FuzzedFormat Find(string name) => FuzzedFormat.All.FirstOrDefault(f => f.Name == name) ?? throw new ArgumentException($"there is no format {name}; 'list' shows them");

static double Number(string text) => double.Parse(text, CultureInfo.InvariantCulture);

static long Whole(string text) => long.Parse(text, CultureInfo.InvariantCulture);

// In a process of its own: a decoder outside of .NET, or a stack that overflows, takes the process with it.
static bool Attack(string format, double seconds, long inputs, int seed)
{
    string[] arguments = ["one", format, seconds.ToString(CultureInfo.InvariantCulture), inputs.ToString(CultureInfo.InvariantCulture), seed.ToString(CultureInfo.InvariantCulture)];
    using Process process = Process.Start(new ProcessStartInfo(Environment.ProcessPath!, Path.GetFileName(Environment.ProcessPath!).StartsWith("dotnet", StringComparison.Ordinal)
        ? [typeof(FuzzedFormat).Assembly.Location, .. arguments] : arguments))!;
    process.WaitForExit();
    if (process.ExitCode is 0 or 1 or 3) return process.ExitCode == 0;
    string running = Campaign.Running(output, format);
    string kept = Path.Combine(output, $"{format}-{seed}-died");
    if (File.Exists(running) && File.ReadAllText(running) is var input && File.Exists(input)) File.Copy(input, kept, overwrite: true);
    Console.WriteLine($"{format}: the process died with {process.ExitCode}; its input is {kept}");
    return false;
}
