using System.Globalization;
using Asni.Cpu;
using Asni.Engine;
using Asni.Inference;
using Asni.Networks;

namespace Asni.Bench;

/// <summary>
/// Two tables in Markdown. Training steps against the number of threads, with the share of a step that more threads did not make faster and, by Amdahl's law, what that share allows on 64
/// processors. And images/s and memory against the batch, in training and of a <see cref="SparseModel"/>, dense and pruned. The columns of a row are timed in turn.
/// </summary>
internal static class Scale
{
    public const string Options = "[--table threads|batch] [--nets lenet300,resnet20,...] [--batches 1,4,...] [--threads 1,2,...] [--seconds 1] [--density 0.05] [--write FILE]";

    private const int ManyProcessors = 64;
    private const string Threads = "threads", Batch = "batch";

    private static readonly string[] s_nets = ["lenet300", "conv6", "resnet20", "vgg16", "resnet18", "resnet50", "mobilenet_v2"], s_small = ["lenet300", "conv6", "resnet20"];

    public static int Run(string[] args)
    {
        var flags = new Flags("scale", args, "--table", "--nets", "--batches", "--threads", "--seconds", "--density", "--write");
        double seconds = flags.Number("--seconds", 1), density = flags.Number("--density", 0.05, most: 1);
        int[] threads = [.. flags.Counts("--threads", DefaultThreads()).Append(1).Distinct().Order()], batches = flags.Counts("--batches", 1, 4, 16, 64, 256, 1024);
        var page = flags.Text("--write") is { } file ? new MarkdownPage(file) : null;
        string[] tables = flags.List("--table", Threads, Batch);
        if (tables.Any(t => t is not (Threads or Batch))) throw new UsageException($"scale: --table '{flags.Text("--table")}' is neither {Threads} nor {Batch}.");
        foreach (string table in tables) page?.Require(Marker(table));
        StepOptions[] all = Cases(flags.List("--nets", s_nets), seconds), small = Cases(flags.List("--nets", s_small), seconds);
        if (tables.Contains(Threads)) Table(Threads, page, ThreadsHead(threads), all.SelectMany(o => new[] { 1, density }.Distinct(), (o, d) => (Func<string>)(() => ThreadsRow(o, d, threads))));
        if (tables.Contains(Batch)) Table(Batch, page, BatchHead(density), small.SelectMany(o => batches, (o, batch) => (Func<string>)(() => BatchRow(o with { Batch = batch }, density))));
        return 0;
    }

    /// <summary>One for each width of vectors: machines of each kind keep their tables.</summary>
    private static string Marker(string table) => $"scale-{table}-{Simd.Width}";

    private static int[] DefaultThreads()
    {
        int n = 1;
        var counts = new List<int>();
        for (; n < Environment.ProcessorCount; n *= 2) counts.Add(n);
        return [.. counts, Environment.ProcessorCount];
    }

    private static StepOptions[] Cases(string[] nets, double seconds) => [.. nets.Select(net =>
    {
        Case found = Array.Find(Case.All, c => c.Net == net) ?? throw new UsageException($"scale: --nets '{net}' is none of {string.Join(", ", Case.All.Select(c => c.Net))}.");
        return StepOptions.Parse(found.ToArguments(training: true, found.Batch, Environment.ProcessorCount, masks: null, density: null)) with { Seconds = seconds };
    })];

    private static void Table(string name, MarkdownPage? page, string[] head, IEnumerable<Func<string>> rows)
    {
        string[] about = [string.Create(CultureInfo.InvariantCulture, $"{Environment.ProcessorCount} processors, vectors of {Simd.Width} bits, fp32."), ""];
        var made = new List<string>();
        Console.WriteLine(string.Join('\n', [.. about, .. head]));
        foreach (Func<string> row in rows)
        {
            made.Add(row());
            Console.WriteLine(made[^1]);
            page?.Write(Marker(name), [.. about, .. head, .. made]);
        }
        Console.WriteLine();
    }

    private static string[] ThreadsHead(int[] threads) =>
    [
        $"| network | batch | density | {string.Join(" | ", threads.Select(t => t == 1 ? "1 thread, ms" : $"{t} threads, ms"))} | times as fast | did not gain | {ManyProcessors} processors, at most |",
        $"| --- | ---: | ---: | {string.Join(" | ", threads.Select(_ => "---:"))} | ---: | ---: | ---: |",
    ];

    private static string ThreadsRow(StepOptions o, double density, int[] threads)
    {
        using var made = new Made();
        Action[] steps = [.. threads.Select(t => made.Training(o with { Threads = t }, density))];
        // The least, not the median: what other programs take of a processor is not the step's.
        double[] ms = [.. Steps.MeasureInTurn(steps, o.Seconds).Select(times => times[0])];
        string row = $"| {o.Net} | {Text(o.Batch)} | {Text(density)} | {string.Join(" | ", ms.Select(Milliseconds))} |";
        if (threads.Length < 2) return row + " | | |";
        // Amdahl: t(p) = t(1) (s + (1 - s) / p).
        double gain = ms[0] / ms[^1], p = threads[^1], serial = Math.Clamp((p / gain - 1) / (p - 1), 0, 1);
        return row + string.Create(CultureInfo.InvariantCulture, $" {gain:f2} | {serial:p0} | {1 / (serial + (1 - serial) / ManyProcessors):f0} |");
    }

    private static string[] BatchHead(double density) =>
    [
        string.Create(CultureInfo.InvariantCulture, $"| network | batch | training images/s | at {100 * density:g3} % | MiB | at {100 * density:g3} % | inference images/s | at {100 * density:g3} % | MiB | at {100 * density:g3} % |"),
        "| --- | ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: |",
    ];

    private static string BatchRow(StepOptions o, double density)
    {
        using var made = new Made();
        float[] images = Answers.Random((long)o.Batch * o.Input.Elements, 1), logits = new float[o.Batch * o.Classes];
        (Action Step, double Mebibytes)[] ways =
        [
            made.Weighed(() => made.Training(o, 1)), made.Weighed(() => made.Training(o, density)),
            made.Weighed(() => made.Inference(o, 1, images, logits)), made.Weighed(() => made.Inference(o, density, images, logits)),
        ];
        double[][] times = Steps.MeasureInTurn([.. ways.Select(w => w.Step)], o.Seconds);
        string Rate(int i) => (o.Batch / times[i][times[i].Length / 2] * 1e3).ToString("n0", CultureInfo.InvariantCulture);
        string Size(int i) => ways[i].Mebibytes.ToString(ways[i].Mebibytes < 10 ? "f1" : "n0", CultureInfo.InvariantCulture);
        return $"| {o.Net} | {Text(o.Batch)} | {Rate(0)} | {Rate(1)} | {Size(0)} | {Size(1)} | {Rate(2)} | {Rate(3)} | {Size(2)} | {Size(3)} |";
    }

    private static string Milliseconds(double ms) => ms.ToString(ms < 10 ? "f3" : "f1", CultureInfo.InvariantCulture);

    private static string Text(double n) => n.ToString(CultureInfo.InvariantCulture);

    /// <summary>What a row needs, disposed of with it.</summary>
    private sealed class Made : IDisposable
    {
        private readonly Stack<IDisposable> _all = new();

        public Action Training(StepOptions o, double density)
        {
            CpuDevice device = Keep(new CpuDevice(o.Threads));
            Model model = Keep(new Model(NetworkZoo.Create(o.Net, o.Input, o.Classes), device));
            Action step = Steps.Prepare(model, o, out Plan plan);
            Keep(plan);
            Steps.Prune(model, o with { Density = density });
            return step;
        }

        public Action Inference(StepOptions o, double density, float[] images, float[] logits)
        {
            TrainedNetwork network = Latency.Networks(NetworkZoo.Create(o.Net, o.Input, o.Classes), o with { Density = density }).Pruned;
            SparseModel model = Keep(SparseModel.Create(network, Keep(new CpuDevice(o.Threads)), o.Batch, maxConcurrency: 1));
            return () => model.Run(images, logits);
        }

        /// <summary>What is made, after a step, and what it takes.</summary>
        public (Action Step, double Mebibytes) Weighed(Func<Action> make)
        {
            long before = Memory.Live();
            Action step = make();
            step();
            return (step, (Memory.Live() - before) / 1048576.0);
        }

        public void Dispose()
        {
            while (_all.TryPop(out IDisposable? one)) one.Dispose();
        }

        private T Keep<T>(T one) where T : IDisposable
        {
            _all.Push(one);
            return one;
        }
    }
}
