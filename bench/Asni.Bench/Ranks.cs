using System.Diagnostics;
using System.Globalization;
using Asni.Cpu;
using Asni.Devices;
using Asni.Distributed;
using Asni.Engine;
using Asni.Mpi;
using Asni.Networks;
using Asni.Optimizers;

namespace Asni.Bench;

/// <summary>
/// Times training steps of several ranks, which a launcher started, and prints on rank 0 a line of JSON for each way to exchange gradients: none, all numbers after the backward pass, those of live
/// weights after it, and those beside it. bench/peers/ranks.py does so over a link of a given rate.
/// </summary>
internal static class Ranks
{
    private const int Rounds = 3, Steps = 8;

    private sealed record Way(string Name, bool Exchanges, bool All, bool Beside);

    private static readonly Way[] s_ways = [new("none", false, false, false), new("all", true, true, false), new("live", true, false, false), new("beside", true, false, true)];

    /// <param name="args">As those of `steps`; the batch is one rank's.</param>
    public static int Run(string[] args)
    {
        StepOptions o = StepOptions.Parse(args);
        using Communicator ranks = MpiCommunicator.Open(Launcher.Find(Environment.GetEnvironmentVariable));
        try
        {
            return Measure(o, ranks);
        }
        catch (Exception e)
        {
            Console.Error.WriteLine(e.Message);
            // The others would wait for this one.
            ranks.Abort(1);
            return 1;
        }
    }

    private static int Measure(StepOptions o, Communicator ranks)
    {
        using var device = new CpuDevice(o.Threads);
        using var model = new Model(NetworkZoo.Create(o.Net, o.Input, o.Classes), device);
        using Plan plan = Bench.Steps.PlanOfRandomBatch(model, o.Batch, training: true, seed: (ulong)ranks.Rank + 1);
        Bench.Steps.Prune(model, o);
        TrainedNetwork start = model.TakeSnapshot();
        using var after = new GradientExchange(model, plan, ranks, null, beside: false);
        using var beside = new GradientExchange(model, plan, ranks, null, beside: true);
        var times = s_ways.Select(_ => new List<double>()).ToArray();
        var hashes = new string[s_ways.Length];
        var bytes = new long[s_ways.Length];
        for (int round = 0; round < Rounds; round++)
        {
            for (int w = 0; w < s_ways.Length; w++)
            {
                model.Load(start);
                model.Parameters.ResetState();
                for (int step = 1; step <= Bench.Steps.WarmUp + Steps; step++)
                {
                    double ms = Step(s_ways[w], step);
                    if (step > Bench.Steps.WarmUp) times[w].Add(ms);
                }
                (hashes[w], bytes[w]) = (model.TakeSnapshot().ComputeSha256(), s_ways[w].Exchanges ? Of(s_ways[w]).Length * sizeof(float) : 0);
            }
        }
        if (ranks.Rank == 0)
            for (int w = 0; w < s_ways.Length; w++) Print(o, model, ranks, s_ways[w], bytes[w], times[w], hashes[w] == hashes[1]);
        return 0;

        GradientExchange Of(Way way) => way.Beside ? beside : after;

        double Step(Way way, int step)
        {
            ranks.Meet();
            long began = Stopwatch.GetTimestamp();
            if (way.Exchanges) Of(way).Begin(ranks.Size, way.All);
            plan.RunTraining(dense: false, meanOver: o.Batch * ranks.Size, way.Exchanges ? Of(way).DuringBackward : null);
            if (way.Exchanges) Of(way).Finish();
            model.Parameters.Update(new OptimizerSettings { Kind = o.Optimizer }.At(1e-4, step));
            return Stopwatch.GetElapsedTime(began).TotalMilliseconds;
        }
    }

    private static void Print(StepOptions o, Model model, Communicator ranks, Way way, long bytes, List<double> times, bool same)
    {
        double median = times.Order().ElementAt(times.Count / 2);
        Console.WriteLine(string.Create(CultureInfo.InvariantCulture,
            $"{{\"net\": \"{model.Network.Name}\", \"ranks\": {ranks.Size}, \"batch\": {o.Batch}, \"density\": {1 - model.Sparsity:g6}, \"exchange\": \"{way.Name}\", \"mbytes\": {bytes / 1e6:f2}, "
            + $"\"ms\": {median:f1}, \"images_per_second\": {o.Batch * ranks.Size / median * 1e3:f1}, \"same_bits\": {(same ? "true" : "false")}}}"));
    }
}
