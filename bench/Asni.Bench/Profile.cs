using System.Diagnostics;
using System.Globalization;
using Asni.Cpu;
using Asni.Cuda;
using Asni.Devices;
using Asni.Engine;
using Asni.Networks;

namespace Asni.Bench;

/// <summary>Tells what each kind of operation takes of a step, slowest first: milliseconds a step and share. Takes the options of <c>steps</c>.</summary>
internal static class Profile
{
    public static int Run(string[] args)
    {
        StepOptions o = StepOptions.Parse(args);
        Network network = NetworkZoo.Create(o.Net, o.Input, o.Classes);
        using Device inner = o.Cuda ? new CudaDevice(0, o.Precision) : new CpuDevice(o.Threads);
        using var device = new TimedDevice(inner);
        using var model = new Model(network, device);
        Action step = Steps.Prepare(model, o, out Plan plan, update => device.Time("optimizer", update));
        using var disposing = plan;
        Steps.Prune(model, o);
        for (int i = 0; i < Steps.WarmUp; i++) step();
        device.Restart();
        var total = Stopwatch.StartNew();
        int steps = 0;
        for (; steps < Steps.WarmUp || total.Elapsed.TotalSeconds < o.Seconds; steps++)
        {
            step();
            device.Synchronize();
        }
        double all = total.Elapsed.TotalMilliseconds;
        Console.WriteLine(string.Create(CultureInfo.InvariantCulture,
            $"{inner.Description}; {o.Net}, batch {o.Batch}, density {1 - model.Sparsity:g4}: {all / steps:f2} ms a step, mean of {steps}.\n\n| operation | ms | share |\n| --- | ---: | ---: |"));
        (string Operation, double Milliseconds)[] times = [.. device.Times];
        double told = times.Sum(t => t.Milliseconds);
        foreach ((string operation, double ms) in times.Append(("rest", all - told)).OrderByDescending(t => t.Item2))
            Console.WriteLine(string.Create(CultureInfo.InvariantCulture, $"| {operation} | {ms / steps:f3} | {ms / all:p1} |"));
        return 0;
    }
}
