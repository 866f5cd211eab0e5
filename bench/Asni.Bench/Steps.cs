using System.Diagnostics;
using System.Globalization;
using Asni.Cpu;
using Asni.Cuda;
using Asni.Devices;
using Asni.Engine;
using Asni.Networks;
using Asni.Optimizers;
using Asni.Pruning;
using Asni.Runs;
using Asni.Tensors;

namespace Asni.Bench;

/// <summary>
/// Times whole steps of a network on random data and prints one line of JSON: median and smallest milliseconds, images/s, and GFLOP/s of the
/// dense network's work. With --density or --masks the pruned network and the dense one are timed in turn, and dense_ms and speedup follow, and what
/// the first step after a change of the masks takes longer: structure_ms.
/// </summary>
internal static class Steps
{
    public const int WarmUp = 3;

    private const int Rounds = 4;

    /// <summary>Steps given to a GPU before it is waited for: as in training, the host runs ahead.</summary>
    private const int StepsAhead = 10;

    public static int Run(string[] args)
    {
        StepOptions o = StepOptions.Parse(args);
        Network network = NetworkZoo.Create(o.Net, o.Input, o.Classes);
        using Device device = o.Cuda ? new CudaDevice(0, o.Precision) : new CpuDevice(o.Threads);
        using var model = new Model(network, device);
        Action step = Prepare(model, o, out Plan plan);
        using var disposing = plan;
        if (!o.IsPruned)
        {
            Print(o, model, PerStep(o, Measure(Waited(o, device, step), o.Seconds)), null);
            return 0;
        }
        using var dense = new Model(network, device);
        Action denseStep = Prepare(dense, o, out Plan densePlan);
        using var disposingDense = densePlan;
        Prune(model, o);
        double[][] times = MeasureInTurn([Waited(o, device, step), Waited(o, device, denseStep)], o.Seconds);
        Print(o, model, PerStep(o, times[0]), PerStep(o, times[1]), StepAfterPruning(model, step));
        return 0;
    }

    /// <summary>Median milliseconds of a step that finds other masks, and builds its structure anew.</summary>
    private static double StepAfterPruning(Model model, Action step)
    {
        int[] weights = [.. model.Network.Weights.Select(p => p.Index)];
        var live = new long[weights.Length];
        var times = new double[5];
        for (int i = 0; i < times.Length; i++)
        {
            // A pruning that takes nothing more.
            model.Parameters.Prune(weights, model.Kept, live);
            model.Device.Synchronize();
            long start = Stopwatch.GetTimestamp();
            step();
            model.Device.Synchronize();
            times[i] = Stopwatch.GetElapsedTime(start).TotalMilliseconds;
        }
        Array.Sort(times);
        return times[times.Length / 2];
    }

    private static Action Waited(StepOptions o, Device device, Action step) => !o.Cuda ? step : () =>
    {
        for (int i = 0; i < StepsAhead; i++) step();
        device.Synchronize();
    };

    private static double[] PerStep(StepOptions o, double[] times) => !o.Cuda ? times : [.. times.Select(ms => ms / StepsAhead)];

    /// <summary>Sorted milliseconds of the calls that fit the time, at least 5.</summary>
    public static double[] Measure(Action action, double seconds) => MeasureInTurn([action], seconds)[0];

    /// <summary>The same for several, each for its time, in rounds: what disturbs the machine for a while then disturbs all.</summary>
    public static double[][] MeasureInTurn(Action[] actions, double seconds)
    {
        var times = actions.Select(_ => new List<double>()).ToArray();
        int rounds = actions.Length > 1 ? Rounds : 1;
        for (int round = 1; round <= rounds; round++)
        {
            for (int a = 0; a < actions.Length; a++)
            {
                for (int i = 0; i < WarmUp; i++) actions[a]();
                var total = Stopwatch.StartNew();
                int needed = (5 * round + rounds - 1) / rounds;
                while (times[a].Count < needed || total.Elapsed.TotalSeconds < seconds / rounds)
                {
                    long start = Stopwatch.GetTimestamp();
                    actions[a]();
                    times[a].Add(Stopwatch.GetElapsedTime(start).TotalMilliseconds);
                }
            }
        }
        return [.. times.Select(t => t.Order().ToArray())];
    }

    /// <summary>A training step or an evaluation of one batch, on a freshly initialized model.</summary>
    /// <param name="aroundUpdate">Runs the optimizer's part of a step; null: as it is.</param>
    public static Action Prepare(Model model, StepOptions o, out Plan made, Action<Action>? aroundUpdate = null)
    {
        Plan plan = made = PlanOfRandomBatch(model, o.Batch, o.Training);
        if (!o.Training) return plan.RunEvaluation;
        var optimizer = new OptimizerSettings { Kind = o.Optimizer };
        long step = 0;
        return () =>
        {
            plan.RunTraining();
            if (aroundUpdate is null) Update();
            else aroundUpdate(Update);
        };

        // A rate this small keeps the weights where they are: on one batch a real one would soon train the gradients away.
        void Update() => model.Parameters.Update(optimizer.At(1e-9, ++step));
    }

    /// <summary>A plan with random numbers as its batch, of the freshly initialized model.</summary>
    public static Plan PlanOfRandomBatch(Model model, int batch, bool training, ulong seed = 1)
    {
        Initialize(model);
        var plan = new Plan(model, batch, training);
        plan.Load(Answers.Random((long)batch * model.Network.Input.Elements, seed), [.. Enumerable.Range(0, batch).Select(i => i % model.Network.Classes)]);
        return plan;
    }

    public static void Initialize(Model model)
    {
        foreach (Parameter p in model.Network.Parameters)
        {
            var values = new float[p.Elements];
            Initialization.Fill(p, 1, values);
            model.Parameters.Upload(p.Index, ParameterSlot.Value, values);
        }
    }

    /// <summary>The values and masks of a run, when one is given; then by global magnitude down to the density, when one is given.</summary>
    public static void Prune(Model model, StepOptions o)
    {
        if (o.NetworkFile is { } file) model.Load(RunFolder.Load(file, model.Network));
        if (o.Density is { } density) new PruningOptions().CreatePruner(model, seed: 0).PruneTo(1 - density, _ => { });
    }

    private static void Print(StepOptions o, Model model, double[] times, double[]? denseTimes, double changed = 0)
    {
        double median = times[times.Length / 2];
        double macs = NetworkAnalysis.Analyze(model.Network).Macs * (double)o.Batch * (o.Training ? 3 : 1);
        string line = string.Create(CultureInfo.InvariantCulture,
            $"{{\"net\": \"{model.Network.Name}\", \"batch\": {o.Batch}, \"density\": {1 - model.Sparsity:g6}, \"ms\": {median:f4}, "
            + $"\"min_ms\": {times[0]:f4}, \"steps\": {times.Length}, \"images_per_second\": {o.Batch / median * 1e3:f1}, "
            + $"\"gflops\": {2 * macs / median / 1e6:f1}");
        if (denseTimes is not null)
        {
            double dense = denseTimes[denseTimes.Length / 2];
            line += string.Create(CultureInfo.InvariantCulture, $", \"dense_ms\": {dense:f4}, \"speedup\": {dense / median:f3}, \"structure_ms\": {Math.Max(0, changed - median):f4}");
        }
        Console.WriteLine(line + "}");
    }
}
