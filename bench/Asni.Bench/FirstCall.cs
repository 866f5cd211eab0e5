using System.Diagnostics;
using System.Globalization;
using Asni.Cpu;
using Asni.Inference;

namespace Asni.Bench;

/// <summary>The first call of a <see cref="SparseModel"/> in this process, which nothing has prepared: a line of JSON with the milliseconds to load it, of the first call and of later ones.</summary>
internal static class FirstCall
{
    public const string Name = "first-call";

    public static int Run(string file)
    {
        long start = Stopwatch.GetTimestamp();
        using var device = new CpuDevice();
        using var model = SparseModel.Load(file, device);
        double load = Stopwatch.GetElapsedTime(start).TotalMilliseconds;
        float[] image = new float[model.Input.Elements], logits = new float[model.Classes];
        double[] times = [.. Enumerable.Range(0, 40).Select(_ => Time(model, image, logits))];
        Console.WriteLine(string.Create(CultureInfo.InvariantCulture, $"{{\"load_ms\": {load:f2}, \"first_ms\": {times[0]:f3}, \"second_ms\": {times[1]:f3}, \"later_ms\": {times[20..].Order().ElementAt(10):f4}}}"));
        return 0;
    }

    private static double Time(SparseModel model, float[] image, float[] logits)
    {
        long start = Stopwatch.GetTimestamp();
        model.Run(image, logits);
        return Stopwatch.GetElapsedTime(start).TotalMilliseconds;
    }
}
