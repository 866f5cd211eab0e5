using System.Diagnostics;
using System.Globalization;
using Asni.Cpu;
using Asni.Devices;
using Asni.Engine;
using Asni.Networks;
using Asni.Optimizers;
using Asni.Tensors;

namespace Asni.Bench;

/// <summary>Times whole steps of a network on random data and prints one line of JSON: median and smallest milliseconds, images/s, GFLOP/s.</summary>
internal static class Steps
{
    private const int WarmUp = 3;

    private sealed record Options(string Net, Chw Input, int Classes, int Batch, OptimizerKind Optimizer, bool Training, double Seconds, int Threads);

    public static int Run(string[] args)
    {
        Options o = Parse(args);
        Network network = NetworkZoo.Create(o.Net, o.Input, o.Classes);
        using var device = new CpuDevice(o.Threads);
        using var model = new Model(network, device);
        foreach (Parameter p in network.Parameters)
        {
            var values = new float[p.Elements];
            Initialization.Fill(p, 1, values);
            model.Parameters.Upload(p.Index, ParameterSlot.Value, values);
        }
        using var plan = new Plan(model, o.Batch, o.Training);
        var random = new SplitMix64(1);
        var images = new float[o.Batch * o.Input.Elements];
        for (int i = 0; i < images.Length; i++) images[i] = 2 * random.NextSingle() - 1;
        int[] labels = [.. Enumerable.Range(0, o.Batch).Select(i => i % o.Classes)];
        plan.Load(images, labels);

        var optimizer = new OptimizerSettings { Kind = o.Optimizer };
        long step = 0;
        void Step()
        {
            if (!o.Training)
            {
                plan.RunEvaluation();
                return;
            }
            plan.RunTraining();
            // A rate this small keeps the weights where they are: on one batch a real one would soon train the gradients away.
            model.Parameters.Update(optimizer.At(1e-9, ++step));
        }
        double[] times = Measure(Step, o.Seconds);
        double macs = NetworkAnalysis.Of(network).Macs * (double)o.Batch * (o.Training ? 3 : 1);
        double median = times[times.Length / 2];
        Console.WriteLine(string.Create(CultureInfo.InvariantCulture,
            $"{{\"ms\": {median:f4}, \"min_ms\": {times[0]:f4}, \"steps\": {times.Length}, \"images_per_second\": {o.Batch / median * 1e3:f1}, \"gflops\": {2 * macs / median / 1e6:f1}}}"));
        return 0;
    }

    /// <summary>Sorted milliseconds of the calls that fit the time, at least 5.</summary>
    public static double[] Measure(Action action, double seconds)
    {
        for (int i = 0; i < WarmUp; i++) action();
        var times = new List<double>();
        var total = Stopwatch.StartNew();
        while (times.Count < 5 || total.Elapsed.TotalSeconds < seconds)
        {
            long start = Stopwatch.GetTimestamp();
            action();
            times.Add(Stopwatch.GetElapsedTime(start).TotalMilliseconds);
        }
        times.Sort();
        return [.. times];
    }

    private static Options Parse(string[] args)
    {
        var given = new Dictionary<string, string>();
        for (int i = 0; i + 1 < args.Length; i += 2) given[args[i]] = args[i + 1];
        string Get(string name, string otherwise) => given.GetValueOrDefault("--" + name, otherwise);
        int[] input = [.. Get("input", "3x32x32").Split('x').Select(s => int.Parse(s, CultureInfo.InvariantCulture))];
        return new Options(Get("net", "lenet300"), new Chw(input[0], input[1], input[2]), int.Parse(Get("classes", "10"), CultureInfo.InvariantCulture),
            int.Parse(Get("batch", "60"), CultureInfo.InvariantCulture), Enum.Parse<OptimizerKind>(Get("optimizer", "adam"), ignoreCase: true),
            Get("mode", "train") == "train", double.Parse(Get("seconds", "3"), CultureInfo.InvariantCulture),
            int.Parse(Get("threads", Environment.ProcessorCount.ToString(CultureInfo.InvariantCulture)), CultureInfo.InvariantCulture));
    }
}
