using Asni.Engine;
using Asni.Networks;
using Asni.Tensors;

namespace Asni.Tests.Inference;

/// <summary>Networks and images for tests of inference.</summary>
internal static class SparseNetworks
{
    /// <summary>So many of the weights live; batch-norm has statistics of its own.</summary>
    public static TrainedNetwork Prune(Network net, double density)
    {
        var random = new SplitMix64(8);
        var values = new float[net.Parameters.Length][];
        var masks = new Mask?[net.Parameters.Length];
        foreach (Parameter p in net.Parameters)
        {
            values[p.Index] = new float[p.Elements];
            Initialization.Fill(p, 3, values[p.Index]);
            if (!p.IsWeight)
                for (int i = 0; i < p.Elements; i++) values[p.Index][i] += 0.5f * random.NextSingle();
            if (!p.IsWeight || density == 1) continue;
            var mask = new Mask(p.Elements, live: false);
            for (int i = 0; i < p.Elements; i++)
            {
                mask[i] = random.NextDouble() < density;
                if (!mask[i]) values[p.Index][i] = 0;
            }
            masks[p.Index] = mask;
        }
        return new TrainedNetwork(net, [.. values], [.. masks]);
    }

    /// <summary>From -1 to 1.</summary>
    public static float[] Images(int count, ulong seed)
    {
        var random = new SplitMix64(seed);
        return [.. Enumerable.Range(0, count).Select(_ => 2 * random.NextSingle() - 1)];
    }
}
