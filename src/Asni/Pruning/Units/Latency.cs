using System.Diagnostics;
using Asni.Devices;
using Asni.Engine;
using Asni.Networks;

namespace Asni.Pruning.Units;

/// <summary>How long a device takes for one image.</summary>
internal static class Latency
{
    private const int Warmups = 5, Samples = 21;

    private static readonly TimeSpan s_sample = TimeSpan.FromMilliseconds(4);

    /// <summary>Least of some samples, which others on the machine disturb least, each the mean of so many passes as take some milliseconds, in seconds. Weights do not matter: all live.</summary>
    public static double Measure(Network network, Device device)
    {
        using var model = new Model(network, device);
        using var plan = new Plan(model, 1, training: false);
        var logits = new float[network.Classes];
        for (int i = 0; i < Warmups; i++) Pass();
        long start = Stopwatch.GetTimestamp();
        Pass();
        int passes = (int)Math.Clamp(s_sample / Stopwatch.GetElapsedTime(start), 1, 1000);
        var seconds = new double[Samples];
        for (int s = 0; s < Samples; s++)
        {
            start = Stopwatch.GetTimestamp();
            for (int i = 0; i < passes; i++) Pass();
            seconds[s] = Stopwatch.GetElapsedTime(start).TotalSeconds / passes;
        }
        return seconds.Min();

        void Pass()
        {
            plan.Load(new float[network.Input.Elements], [0]);
            plan.RunEvaluation();
            // Waits for the device.
            plan.ReadLogits(logits);
        }
    }
}
