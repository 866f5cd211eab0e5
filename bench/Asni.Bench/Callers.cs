using System.Diagnostics;
using System.Globalization;
using Asni.Cpu;
using Asni.Engine;
using Asni.Inference;
using Asni.Networks;

namespace Asni.Bench;

/// <summary>
/// Calls of one <see cref="SparseModel"/> by several threads at once, and prints one line of JSON: calls/s of one caller, of all with a plan each and of all that
/// share one plan by a lock, in turn; the processor's milliseconds a call in each, which say what callers cost each other also where other programs take their share of the machine; and the memory that the model takes with one caller, and with each further one. Takes the options of <c>steps</c> and
/// <c>--callers</c>.
/// </summary>
internal static class Callers
{
    private const int Rounds = 5;

    public static int Run(string[] args)
    {
        var flags = new Flags("callers", args, ["--callers", .. StepOptions.Names]);
        int callers = flags.Count("--callers", 8);
        StepOptions o = StepOptions.Parse(flags);
        Network network = NetworkZoo.Create(o.Net, o.Input, o.Classes);
        (TrainedNetwork pruned, _, double density) = Latency.Networks(network, o);
        float[] images = Answers.Random((long)o.Batch * o.Input.Elements, 1), expected = new float[o.Batch * o.Classes];
        long empty = Memory.Live();
        using var pooledDevice = new CpuDevice(o.Threads);
        using SparseModel pooled = SparseModel.Create(pruned, pooledDevice, o.Batch, callers);
        pooled.Run(images, expected);
        long alone = Memory.Live() - empty;
        // All at once until each has had a plan of its own.
        Calls(pooled, callers, images, expected, o.Seconds / Rounds);
        double each = callers == 1 ? 0 : (double)(Memory.Live() - empty - alone) / (callers - 1);
        using var lockedDevice = new CpuDevice(o.Threads);
        using SparseModel locked = SparseModel.Create(pruned, lockedDevice, o.Batch, maxConcurrency: 1);
        Func<(double, double)>[] ways =
        [
            () => Calls(pooled, 1, images, expected, o.Seconds / Rounds), () => Calls(pooled, callers, images, expected, o.Seconds / Rounds),
            () => Calls(locked, callers, images, expected, o.Seconds / Rounds),
        ];
        var measured = ways.Select(_ => new (double Rate, double Processor)[Rounds]).ToArray();
        for (int round = 0; round < Rounds; round++)
            for (int way = 0; way < ways.Length; way++) measured[way][round] = ways[way]();
        double[] medians = [.. measured.Select(m => m.Select(x => x.Rate).Order().ElementAt(Rounds / 2))];
        double[] processor = [.. measured.Select(m => m.Select(x => x.Processor).Order().ElementAt(Rounds / 2))];
        Console.WriteLine(string.Create(CultureInfo.InvariantCulture,
            $"{{\"net\": \"{network.Name}\", \"batch\": {o.Batch}, \"density\": {density:g6}, \"threads\": {o.Threads}, \"callers\": {callers}, \"one_calls_per_second\": {medians[0]:f1}, ")
            + string.Create(CultureInfo.InvariantCulture, $"\"pooled_calls_per_second\": {medians[1]:f1}, \"locked_calls_per_second\": {medians[2]:f1}, \"pooled_over_one\": {medians[1] / medians[0]:f3}, ")
            + string.Create(CultureInfo.InvariantCulture, $"\"locked_over_one\": {medians[2] / medians[0]:f3}, \"one_processor_ms\": {processor[0]:g4}, ")
            + string.Create(CultureInfo.InvariantCulture, $"\"pooled_processor_ms\": {processor[1]:g4}, \"locked_processor_ms\": {processor[2]:g4}, \"model_kib\": {alone / 1024.0:f1}, \"kib_per_further_caller\": {each / 1024:f1}}}"));
        return 0;
    }

    /// <summary>Calls a second of so many threads, each of whose answers is checked, and processor milliseconds a call.</summary>
    private static (double Rate, double Processor) Calls(SparseModel model, int callers, float[] images, float[] expected, double seconds)
    {
        var counts = new long[callers];
        int wrong = 0;
        TimeSpan used = Environment.CpuUsage.TotalTime;
        var watch = Stopwatch.StartNew();
        var threads = Enumerable.Range(0, callers).Select(caller => new Thread(() =>
        {
            var logits = new float[expected.Length];
            do
            {
                model.Run(images, logits);
                if (!logits.AsSpan().SequenceEqual(expected)) Interlocked.Increment(ref wrong);
                counts[caller]++;
            }
            while (watch.Elapsed.TotalSeconds < seconds);
        })).ToArray();
        foreach (Thread thread in threads) thread.Start();
        foreach (Thread thread in threads) thread.Join();
        if (wrong > 0) throw new AsniException($"{wrong} of {counts.Sum()} calls by {callers} threads gave other logits than one alone.");
        return (counts.Sum() / watch.Elapsed.TotalSeconds, (Environment.CpuUsage.TotalTime - used).TotalMilliseconds / counts.Sum());
    }
}
