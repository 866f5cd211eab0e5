using System.Collections.Immutable;
using System.Runtime.InteropServices;
using Asni.Cpu;
using Asni.Devices;
using Asni.Engine;
using Asni.Formats;
using Asni.Methods;
using Asni.Networks;
using Asni.Tensors;

namespace Asni.Tests.Formats;

/// <summary>Networks with weights, batch-norm statistics and masks as after training, and their logits.</summary>
internal static class RandomNetworks
{
    /// <param name="sparsity">Share of each weight tensor that is pruned, at random places.</param>
    public static TrainedNetwork Weights(Network network, double sparsity, int seed = 1)
    {
        TrainedNetwork fresh = MethodRunner.CreateInitialWeights(network, (ulong)seed);
        var random = new Random(seed);
        Mask?[] masks = new Mask?[network.Parameters.Length];
        foreach (Parameter p in network.Parameters)
        {
            float[] values = fresh.Values[p.Index];
            float Uniform(double from, double to) => (float)(from + (to - from) * random.NextDouble());
            if (p.IsWeight && sparsity > 0) masks[p.Index] = Prune(values, sparsity, random);
            else if (!p.IsWeight)
                for (int i = 0; i < values.Length; i++)
                    values[i] = p.Kind is ParameterKind.NormWeight or ParameterKind.RunningVariance ? Uniform(0.5, 1.5) : Uniform(-0.2, 0.2);
        }
        return new TrainedNetwork(network, fresh.Values, [.. masks]);
    }

    public static float[] Images(Network network, int count)
    {
        var random = new Random(5);
        var images = new float[count * network.Input.Elements];
        for (int i = 0; i < images.Length; i++) images[i] = (float)(2 * random.NextDouble() - 1);
        return images;
    }

    /// <summary>What the CPU device says.</summary>
    public static float[] Logits(TrainedNetwork network, float[] images, int count)
    {
        using var device = new CpuDevice(1);
        return Logits(network, images, count, device);
    }

    /// <summary>What a device says.</summary>
    public static float[] Logits(TrainedNetwork network, float[] images, int count, Device device)
    {
        using var model = new Model(network.Network, device);
        model.Load(network);
        using var plan = new Plan(model, count, training: false);
        plan.Load(images, new int[count]);
        plan.RunEvaluation();
        var logits = new float[count * network.Network.Classes];
        plan.ReadLogits(logits);
        return logits;
    }

    public static void WriteRaw(string path, float[] values) => File.WriteAllBytes(path, MemoryMarshal.AsBytes(values.AsSpan()).ToArray());

    private static Mask Prune(float[] values, double sparsity, Random random)
    {
        var mask = new Mask(values.Length);
        for (int i = 0; i < values.Length; i++)
        {
            if (random.NextDouble() >= sparsity) continue;
            mask[i] = false;
            values[i] = 0;
        }
        return mask;
    }
}
