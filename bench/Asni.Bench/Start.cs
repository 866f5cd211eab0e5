using System.Diagnostics;
using System.Globalization;
using System.Text.Json;
using Asni.Formats;
using Asni.Networks;

namespace Asni.Bench;

/// <summary>
/// Two tables in Markdown, of new processes: commands of the command line, as it is built and as the installed tool; and a <see cref="Inference.SparseModel"/> of resnet20 from its file to its first
/// logits, by each way to compile. Medians; the processes take turns.
/// </summary>
internal static class Start
{
    public const string Options = "[--rounds 9] [--tool FILE] [--aot FILE] [--write FILE]; FILE: the installed asni; Asni.Latency as bench/peers/vectors.py publishes it; a page with the table's lines";

    private const string Marker = "start", Net = "resnet20";
    private const double Density = 0.05;

    private static readonly JsonSerializerOptions s_json = new() { PropertyNamingPolicy = JsonNamingPolicy.SnakeCaseLower };
    private static readonly string[][] s_commands = [["--version"], ["--help"], ["methods"], ["info", "--net", "lenet300"], ["doctor"]];

    /// <summary>A program, what comes before its arguments, and what it has in its environment.</summary>
    private sealed record Program(string Name, string File, string[] Before, params (string Name, string Value)[] Environment)
    {
        public static Program Assembly(string name, string file, params (string, string)[] environment) => new(name, "dotnet", [file], environment);
    }

    private sealed record First(double LoadMs, double FirstMs, double SecondMs, double LaterMs);

    public static int Run(string[] args)
    {
        var flags = new Flags("start", args, "--rounds", "--tool", "--aot", "--write");
        int rounds = flags.Count("--rounds", 9);
        var page = flags.Text("--write") is { } file ? new MarkdownPage(file) : null;
        page?.Require(Marker);
        string bench = typeof(Start).Assembly.Location;
        List<Program> commands = [Program.Assembly("`dotnet Asni.Host.dll`, as `dotnet build` makes it", Host(bench))];
        if (flags.Text("--tool") is { } tool) commands.Add(new Program("`asni`, the tool that `build.sh pack` makes", Existing(tool), []));
        List<Program> models =
        [
            Program.Assembly("JIT, tiered (.NET's default)", bench, ("DOTNET_TieredCompilation", "1"), ("DOTNET_TieredPGO", "1")), Program.Assembly("JIT, optimized at once", bench, ("DOTNET_TieredCompilation", "0")),
        ];
        if (flags.Text("--aot") is { } aot) models.Add(new Program("NativeAOT", Existing(aot), []));
        string[] lines = [.. Commands(Program.Assembly("", bench), commands, rounds), "", .. Models(models, rounds)];
        Console.WriteLine(string.Join('\n', lines));
        page?.Write(Marker, lines);
        return 0;
    }

    private static IEnumerable<string> Commands(Program empty, List<Program> programs, int rounds)
    {
        double nothing = Medians([() => Time(empty, ["nothing"], out _)], rounds)[0];
        yield return string.Create(CultureInfo.InvariantCulture, $"Milliseconds of a whole process; a .NET program that does nothing takes {nothing:f0}.");
        yield return "";
        yield return $"| command | {string.Join(" | ", programs.Select(p => p.Name))} |";
        yield return $"| --- | {string.Join(" | ", programs.Select(_ => "---:"))} |";
        foreach (string[] command in s_commands)
        {
            double[] times = Medians([.. programs.Select(p => (Func<double>)(() => Time(p, command, out _)))], rounds);
            yield return $"| `asni {string.Join(' ', command)}` | {string.Join(" | ", times.Select(t => t.ToString("f0", CultureInfo.InvariantCulture)))} |";
        }
    }

    private static IEnumerable<string> Models(List<Program> programs, int rounds)
    {
        string folder = Directory.CreateTempSubdirectory("asni-start-").FullName;
        try
        {
            string file = Path.Combine(folder, Net + ".safetensors");
            NetworkFile.Write(file, Latency.Networks(NetworkZoo.Create(Net), StepOptions.Parse(["--net", Net, "--density", Density.ToString(CultureInfo.InvariantCulture)])).Pruned, "dense");
            var firsts = programs.Select(_ => new List<First>()).ToArray();
            double[] whole = Medians([.. programs.Select((p, i) => (Func<double>)(() => Model(p, file, firsts[i])))], rounds);
            yield return string.Create(CultureInfo.InvariantCulture, $"Milliseconds of `SparseModel` with {Net} at {100 * Density:f0} %, one image a call:");
            yield return "";
            yield return "| compiled | load | first call | second call | call 21 to 40 | whole process |";
            yield return "| --- | ---: | ---: | ---: | ---: | ---: |";
            for (int i = 0; i < programs.Count; i++)
            {
                double Of(Func<First, double> what) => firsts[i].Select(what).Order().ElementAt(firsts[i].Count / 2);
                yield return string.Create(CultureInfo.InvariantCulture, $"| {programs[i].Name} | {Of(f => f.LoadMs):f0} | {Of(f => f.FirstMs):f1} | {Of(f => f.SecondMs):f2} | {Of(f => f.LaterMs):f2} | {whole[i]:f0} |");
            }
        }
        finally
        {
            Directory.Delete(folder, recursive: true);
        }
    }

    private static double Model(Program program, string file, List<First> firsts)
    {
        double time = Time(program, [FirstCall.Name, file], out string said);
        firsts.Add(JsonSerializer.Deserialize<First>(said, s_json)!);
        return time;
    }

    /// <summary>Of each, in turn.</summary>
    private static double[] Medians(Func<double>[] ways, int rounds)
    {
        var times = ways.Select(_ => new double[rounds]).ToArray();
        for (int round = -1; round < rounds; round++)
            for (int i = 0; i < ways.Length; i++)
            {
                double time = ways[i]();
                // The first finds files that nobody has read yet.
                if (round >= 0) times[i][round] = time;
            }
        return [.. times.Select(t => t.Order().ElementAt(rounds / 2))];
    }

    /// <summary>Milliseconds from its start to its end.</summary>
    /// <exception cref="AsniException">It failed.</exception>
    private static double Time(Program program, string[] arguments, out string said)
    {
        var start = new ProcessStartInfo(program.File) { RedirectStandardOutput = true };
        foreach (string argument in (string[])[.. program.Before, .. arguments]) start.ArgumentList.Add(argument);
        foreach ((string name, string value) in program.Environment) start.Environment[name] = value;
        long from = Stopwatch.GetTimestamp();
        using Process process = Process.Start(start)!;
        said = process.StandardOutput.ReadToEnd();
        process.WaitForExit();
        double time = Stopwatch.GetElapsedTime(from).TotalMilliseconds;
        return process.ExitCode == 0 ? time : throw new AsniException($"{program.File} {string.Join(' ', start.ArgumentList)} ended with exit code {process.ExitCode}.");
    }

    /// <summary>The command line of the same build: bench/Asni.Bench/bin/... has a sibling in src/Asni.Host.</summary>
    private static string Host(string bench)
    {
        string folder = Path.GetDirectoryName(bench)!, root = Path.GetFullPath(Path.Combine(folder, "..", "..", "..", "..", ".."));
        return Existing(Path.Combine(root, "src", "Asni.Host", Path.GetRelativePath(Path.Combine(root, "bench", "Asni.Bench"), folder), "Asni.Host.dll"));
    }

    private static string Existing(string file) => File.Exists(file) ? file : throw new UsageException($"start: {file} does not exist; `dotnet build` makes the command line, `build.sh pack` the tool.");
}
