using System.Globalization;
using Asni.Cpu;
using Asni.Engine;
using Asni.Inference;
using Asni.Networks;

namespace Asni.Bench;

/// <summary>
/// Times calls of a <see cref="SparseModel"/>, which has batch-norm folded, on random images, and prints one line of JSON: percentiles of the milliseconds a call
/// takes, images/s by the median, and the same network without masks timed in turn. Takes the options of <c>steps</c>.
/// </summary>
internal static class Latency
{
    public static int Run(string[] args)
    {
        StepOptions o = StepOptions.Parse(args);
        Network network = NetworkZoo.Create(o.Net, o.Input, o.Classes);
        (TrainedNetwork pruned, TrainedNetwork dense, double density) = Networks(network, o);
        using CpuDevice device = new(o.Threads), denseDevice = new(o.Threads);
        using SparseModel model = SparseModel.Create(pruned, device, o.Batch), denseModel = SparseModel.Create(dense, denseDevice, o.Batch);
        float[] images = Answers.Random((long)o.Batch * o.Input.Elements, 1), logits = new float[o.Batch * o.Classes];
        double[][] times = Steps.MeasureInTurn([() => model.Run(images, logits), () => denseModel.Run(images, logits)], o.Seconds);
        double At(int who, double share) => times[who][(int)Math.Min(times[who].Length - 1, share * times[who].Length)];
        Console.WriteLine(string.Create(CultureInfo.InvariantCulture,
            $"{{\"net\": \"{network.Name}\", \"batch\": {o.Batch}, \"threads\": {o.Threads}, \"density\": {density:g6}, \"p50_ms\": {At(0, 0.5):f4}, \"p90_ms\": {At(0, 0.9):f4}, ")
            + string.Create(CultureInfo.InvariantCulture, $"\"p99_ms\": {At(0, 0.99):f4}, \"calls\": {times[0].Length}, \"images_per_second\": {o.Batch / At(0, 0.5) * 1e3:f1}, ")
            + string.Create(CultureInfo.InvariantCulture, $"\"dense_p50_ms\": {At(1, 0.5):f4}}}"));
        return 0;
    }

    /// <summary>The network that was asked for, and the same values with all weights live.</summary>
    public static (TrainedNetwork Pruned, TrainedNetwork Dense, double Density) Networks(Network network, StepOptions o)
    {
        using var device = new CpuDevice(o.Threads);
        using var model = new Model(network, device);
        Steps.Initialize(model);
        TrainedNetwork dense = model.TakeSnapshot();
        Steps.Prune(model, o);
        return (model.TakeSnapshot(), dense, 1 - model.Sparsity);
    }
}
