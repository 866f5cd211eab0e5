using System.Globalization;
using System.Runtime.InteropServices;
using System.Text;
using Asni.Cpu;
using BenchmarkDotNet.Configs;
using BenchmarkDotNet.Parameters;
using BenchmarkDotNet.Reports;
using BenchmarkDotNet.Running;

namespace Asni.Bench;

/// <summary>
/// `kernels [--filter GLOB | --write FILE]`: all benchmarks, and their table as Markdown, printed or put between FILE's markers for the width of this processor's vectors.
/// </summary>
internal static class Kernels
{
    public const string Options = "[--filter GLOB | --write FILE]";

    private const string Usage = "use kernels, kernels --filter GLOB or kernels --write FILE.";

    /// <summary>One for each width of vectors: machines of each kind keep their tables.</summary>
    private static string Marker => $"kernels-{Simd.Width}";

    /// <exception cref="AsniException">A benchmark failed, or the file has no markers; the file stays as it was.</exception>
    public static int Run(string[] args)
    {
        (string filter, string? file) = args switch
        {
            [] => ("*", null),
            ["--filter", string glob] => (glob, null),
            ["--write", string path] => ("*", path),
            _ => throw new UsageException($"kernels does not know '{string.Join(' ', args)}'; {Usage}"),
        };
        MarkdownPage? page = file is null ? null : new MarkdownPage(file);
        page?.Require(Marker);
        string table = Table(Benchmark(["--filter", filter]));
        if (page is null) Console.Write(table);
        else page.Write(Marker, table.TrimEnd('\n').Split('\n'));
        return 0;
    }

    /// <summary>Runs benchmarks with BenchmarkDotNet's own arguments.</summary>
    /// <exception cref="AsniException">One of them failed.</exception>
    public static Summary[] Benchmark(string[] args)
    {
        Summary[] summaries = [];
        try
        {
            summaries = [.. BenchmarkSwitcher.FromAssembly(typeof(Kernels).Assembly).Run(args, DefaultConfig.Instance)];
        }
        catch (NullReferenceException) when (Answers.Wrong.Count > 0)
        {
            // BenchmarkDotNet 0.14 stumbles over its own missing build log when a benchmark throws inside this process.
        }
        return Answers.Wrong.Count == 0 ? summaries : throw new AsniException(string.Join(Environment.NewLine, Answers.Wrong));
    }

    private static string Table(Summary[] summaries)
    {
        var text = new StringBuilder();
        text.Append(CultureInfo.InvariantCulture, $"{RuntimeInformation.FrameworkDescription}, {Environment.ProcessorCount} threads, fp32. ");
        text.Append(CultureInfo.InvariantCulture, $"Limits: peak {Limits.Get(Bound.Peak):f0} GFLOP/s; memory, over {Limits.MemoryBytes >> 20} MiB: ");
        text.Append(CultureInfo.InvariantCulture, $"read {Limits.Get(Bound.Read):f0}, update {Limits.Get(Bound.Update):f0}, ");
        text.Append(CultureInfo.InvariantCulture, $"copy {Limits.Get(Bound.Copy):f0} GB/s.\n\n");
        text.Append("| operation | layer or network | median ms | rate | of the limit |\n| --- | --- | ---: | ---: | ---: |\n");
        int rows = 0;
        foreach (Summary summary in summaries)
        {
            foreach (BenchmarkCase benchmark in summary.BenchmarksCases)
            {
                string operation = $"{benchmark.Descriptor.Categories[0]}, {benchmark.Descriptor.WorkloadMethodDisplayInfo.Trim('\'')}";
                string subject = string.Join(", ", benchmark.Parameters.Items.OrderBy(p => p.Value is double).Select(Subject));
                Achievement a = Achievement.Create(summary, benchmark)
                    ?? throw new AsniException($"the benchmark {operation} of {subject} did not run; its output above says why.");
                text.Append(CultureInfo.InvariantCulture, $"| {operation} | {subject} | {a.MedianMilliseconds:f3} ");
                text.Append(CultureInfo.InvariantCulture, $"| {a.RateText} | {a.LimitText} |\n");
                rows++;
            }
        }
        return rows > 0 ? text.ToString() : throw new UsageException($"no benchmark was chosen; {Usage}");
    }

    private static string Subject(ParameterInstance parameter) =>
        parameter.Value is double share ? string.Create(CultureInfo.InvariantCulture, $"{100 * share:g3} %") : parameter.Value?.ToString() ?? "";
}
