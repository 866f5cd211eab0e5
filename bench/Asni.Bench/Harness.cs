namespace Asni.Bench;

/// <summary>A program of the suite beside BenchmarkDotNet's benchmarks.</summary>
/// <param name="Name">The first argument.</param>
/// <param name="Question">What it answers.</param>
/// <param name="Options">What may follow the name.</param>
internal sealed record Harness(string Name, string Question, string Options, Func<string[], int> Run)
{
    public static readonly Harness[] All =
    [
        new("steps", "How long does a whole training step or an inference take, dense and pruned?", StepOptions.Help, Steps.Run),
        new("profile", "Which operations does a step spend its time in?", StepOptions.Help, Profile.Run),
        new("layers", "Which layers of a pruned network are faster on their sparse path, and does the device choose it?", StepOptions.Help, Layers.Run),
        new("latency", "How long does a call of SparseModel take, and the slowest of a hundred?", StepOptions.Help, Latency.Run),
        new("callers", "What do several threads get that call one SparseModel, and what memory does each take?", $"[--callers 8] {StepOptions.Help}", Callers.Run),
        new("scale", "How do a step's time and memory grow with threads and with the batch?", Scale.Options, Scale.Run),
        new("start", "How long do a command and the first call of a SparseModel take in a new process?", Start.Options, Start.Run),
        new("ranks", "How long does a step of several ranks take, for each way to exchange gradients? Under mpirun.", StepOptions.Help, Ranks.Run),
        new("web", "How many requests a second does examples/WebApi serve?", Web.Options, Web.Run),
        new("limits", "What can this machine do at most: multiply-adds, reading, updating and copying memory?", "", Limits.Print),
        new("kernels", "How near to these limits does each operation come? The table of BenchmarkDotNet's benchmarks.", Kernels.Options, Kernels.Run),
        new("cuda", "The same of a GPU: its limits, its kernels, their speed, a training on it.", CudaLimits.Options, CudaLimits.Run),
    ];

    public static string Help => $"""
        What Asni costs on this machine. bench/README.md says more.

          Asni.Bench NAME [options]             one of the questions below, answered in lines of JSON or a Markdown table
          Asni.Bench --filter '*'               BenchmarkDotNet's benchmarks of the operations, with its own report; --list flat names them,
                                                --anyCategories 'sparse convolution' takes those of one operation
          Asni.Bench NAME --help                the options of NAME

        {string.Join('\n', All.Select(h => $"  {h.Name,-10}{h.Question}"))}

        """;

    /// <exception cref="UsageException">There is no such program.</exception>
    public static int RunAny(string[] args)
    {
        switch (args)
        {
            case [] or ["--help" or "-h" or "-?" or "help"]:
                Console.Write(Help);
                return 0;
            case [['-', ..], ..]:
                Kernels.Benchmark(args);
                return 0;
        }
        Harness harness = Array.Find(All, h => h.Name == args[0])
            ?? throw new UsageException($"There is no '{args[0]}'; there are {string.Join(", ", All.Select(h => h.Name))}, and BenchmarkDotNet's own flags, such as --filter '*'.");
        if (!args.Contains("--help")) return harness.Run(args[1..]);
        Console.WriteLine($"{harness.Question}\n\n  Asni.Bench {harness.Name} {harness.Options}".TrimEnd());
        return 0;
    }
}
