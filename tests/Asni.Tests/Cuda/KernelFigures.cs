using System.Globalization;
using System.Reflection;
using System.Text.RegularExpressions;
using Asni.Cuda.Driver;

namespace Asni.Tests.Cuda;

/// <summary>What a kernel takes, by ptxas, and what its PTX asks for.</summary>
/// <param name="Name">Of the kernel.</param>
/// <param name="Registers">A thread.</param>
/// <param name="StaticSharedBytes">A block.</param>
/// <param name="LocalBytes">A thread.</param>
/// <param name="Threads">Of a block, by its launch bounds.</param>
/// <param name="Blocks">On a multiprocessor at once, by its launch bounds; 1 where they say nothing.</param>
/// <param name="DynamicAlignment">Of dynamic shared memory, which the static is filled up to.</param>
internal sealed partial record KernelFigures(string Name, int Registers, int StaticSharedBytes, int LocalBytes, int Threads, int Blocks, int DynamicAlignment)
{
    private const string Command = "run eng/ptxas.sh && eng/native.sh && eng/registers.py, and commit tests/Asni.Tests/Cuda/registers.txt";

    /// <summary>Static and dynamic shared memory together, with the gap between.</summary>
    public int SharedBytes(int dynamicBytes) =>
        dynamicBytes == 0 ? StaticSharedBytes : (StaticSharedBytes + DynamicAlignment - 1) / DynamicAlignment * DynamicAlignment + dynamicBytes;

    /// <summary>All embedded kernels of an architecture, those of the tests among them.</summary>
    /// <param name="architecture">sm_80 or sm_90a.</param>
    /// <param name="missing">A sentence for each kernel that nobody knows the figures of.</param>
    public static List<KernelFigures> Read(string architecture, out List<string> missing)
    {
        Dictionary<string, int[]> table = Table(architecture);
        var kernels = new List<KernelFigures>();
        missing = [];
        foreach (Assembly assembly in new[] { typeof(Ptx).Assembly, typeof(KernelFigures).Assembly })
        {
            foreach ((_, string text) in Ptx.Read(architecture, assembly).Texts)
            {
                Match alignment = ExternShared().Match(text);
                foreach (Match entry in Entry().Matches(text))
                {
                    string name = entry.Groups["name"].Value, directives = entry.Groups["directives"].Value;
                    if (!table.TryGetValue(name, out int[]? figures))
                    {
                        missing.Add($"nobody knows what {name} takes on {architecture}: {Command}");
                        continue;
                    }
                    kernels.Add(new KernelFigures(name, figures[0], figures[1], figures[2], Number(MaxThreads().Match(directives), 0),
                        Number(MinBlocks().Match(directives), 1), Number(alignment, 1)));
                }
            }
        }
        return kernels;
    }

    /// <summary>What ptxas said in this build; for kernels that it was not asked about, what the repository keeps.</summary>
    private static Dictionary<string, int[]> Table(string architecture)
    {
        var table = new Dictionary<string, int[]>();
        using var reader = new StreamReader(typeof(KernelFigures).Assembly.GetManifestResourceStream("registers.txt")!);
        while (reader.ReadLine() is { } line)
        {
            // NAME then, for each architecture, its name and three numbers.
            string[] words = line.Split(' ');
            int at = Array.IndexOf(words, architecture);
            if (words[0] != "#" && at > 0) table[words[0]] = Numbers(words, at + 1, 3);
        }
        // No repository around a bundle's tests: there the kept figures hold.
        string folder = CudaTest.SimulatorPath is { } simulator ? Path.Combine(Path.GetDirectoryName(simulator)!, "ptx") : "";
        if (!Directory.Exists(folder)) return table;
        foreach (string file in Directory.EnumerateFiles(folder, $"*.{architecture}.registers", SearchOption.AllDirectories))
        {
            foreach (string line in File.ReadLines(file).Where(line => !line.StartsWith('#')))
            {
                string[] words = line.Split(' ');
                int[] numbers = Numbers(words, 1, 5);
                table[words[0]] = [numbers[0], numbers[1], numbers[2..].Max()];
            }
        }
        return table;
    }

    private static int[] Numbers(string[] words, int at, int count) =>
        [.. words.Skip(at).Take(count).Select(word => int.Parse(word, CultureInfo.InvariantCulture))];

    private static int Number(Match match, int otherwise) => match.Success ? int.Parse(match.Groups[1].ValueSpan, CultureInfo.InvariantCulture) : otherwise;

    // .visible .entry NAME( parameters ) directives {
    [GeneratedRegex(@"\.entry\s+(?<name>\w+)\s*\([^)]*\)(?<directives>[^{]*)\{")]
    private static partial Regex Entry();

    [GeneratedRegex(@"\.maxntid\s+(\d+)")]
    private static partial Regex MaxThreads();

    [GeneratedRegex(@"\.minnctapersm\s+(\d+)")]
    private static partial Regex MinBlocks();

    [GeneratedRegex(@"\.extern \.shared \.align (\d+)")]
    private static partial Regex ExternShared();
}
