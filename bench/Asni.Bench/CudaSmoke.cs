using System.Globalization;
using Asni.Cpu;
using Asni.Cuda;
using Asni.Devices;
using Asni.Engine;
using Asni.Networks;
using Asni.Optimizers;

namespace Asni.Bench;

/// <summary>
/// `cuda smoke NET PRECISION`: one training step of a network on the GPU and on the CPU from the same values and batch. Prints a line of JSON with
/// both losses, the difference of all gradients together as a share of their norm, and the parameter whose gradient differs most.
/// </summary>
internal static class CudaSmoke
{
    private const int Batch = 16;

    public static int Run(string net, string precision)
    {
        if (!Enum.TryParse(precision, true, out CudaPrecision kind)) throw new UsageException($"'{precision}' is not fp32, tf32 or bf16.");
        Network network = NetworkZoo.Create(net);
        (double expectedLoss, float[][] expected) = Step(network, new CpuDevice(Environment.ProcessorCount));
        (double loss, float[][] gradients) = Step(network, new CudaDevice(0, kind));
        (double worst, string where) = Enumerable.Range(0, expected.Length)
            .Select(i => (RelativeError(gradients[i], expected[i]), network.Parameters[i].Name)).MaxBy(e => double.IsNaN(e.Item1) ? double.MaxValue : e.Item1);
        double error = RelativeError([.. gradients.SelectMany(g => g)], [.. expected.SelectMany(g => g)]);
        // After many layers in bf16: what rounding explains, far from what a wrong kernel gives. Single small gradients, sums that cancel, may be off by more.
        double limit = kind switch { CudaPrecision.Fp32 => 1e-3, CudaPrecision.Tf32 => 0.1, _ => 0.15 };
        bool right = error <= limit && Math.Abs(loss - expectedLoss) <= limit * Math.Abs(expectedLoss);
        Console.WriteLine(string.Create(CultureInfo.InvariantCulture, $"{{\"net\": \"{net}\", \"precision\": \"{precision}\", \"right\": {(right ? "true" : "false")}, "
            + $"\"loss\": {loss:g6}, \"cpu_loss\": {expectedLoss:g6}, \"error\": {Number(error)}, \"worst\": \"{where}\", \"worst_error\": {Number(worst)}, \"limit\": {limit}}}"));
        return right ? 0 : 1;
    }

    private static (double Loss, float[][] Gradients) Step(Network network, Device device)
    {
        using Device owned = device;
        using var model = new Model(network, device);
        using Plan plan = Steps.PlanOfRandomBatch(model, Batch, true);
        plan.RunTraining();
        double loss = plan.ReadLoss().Loss / Batch;
        float[][] gradients = [.. network.Parameters.Select(p => Gradient(model, p))];
        model.Parameters.Update(new OptimizerSettings { Kind = OptimizerKind.Momentum }.At(0.01, 1));
        device.Synchronize();
        return (loss, gradients);
    }

    private static float[] Gradient(Model model, Parameter parameter)
    {
        // Running statistics have no gradient; their new values are compared.
        ParameterSlot slot = parameter.Kind is ParameterKind.RunningMean or ParameterKind.RunningVariance ? ParameterSlot.Value : ParameterSlot.Gradient;
        var values = new float[parameter.Elements];
        model.Parameters.Download(parameter.Index, slot, values);
        return values;
    }

    private static double RelativeError(float[] computed, float[] expected)
    {
        double error = 0, norm = 0;
        for (int i = 0; i < expected.Length; i++)
        {
            double d = (double)computed[i] - expected[i];
            error += d * d;
            norm += (double)expected[i] * expected[i];
        }
        return error == 0 ? 0 : Math.Sqrt(error / norm);
    }

    private static string Number(double x) => double.IsFinite(x) ? x.ToString("g4", CultureInfo.InvariantCulture) : "null";
}
