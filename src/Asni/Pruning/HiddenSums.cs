using Asni.Data;
using Asni.Devices;
using Asni.Engine;
using Asni.Networks;

namespace Asni.Pruning;

/// <summary>Sums of a group's hidden activations over calibration images: (C, H, W), all that i-SpaSP needs to know of the data.</summary>
/// <param name="Sums">One number for each channel and position.</param>
/// <param name="Samples">Images they are sums of.</param>
public sealed record HiddenSums(float[] Sums, long Samples)
{
    /// <summary>Pushes the first batches of a dataset's epoch order through the front of a network.</summary>
    public static HiddenSums Measure(ModelSnapshot model, Node hidden, Dataset data, int batches, int batchSize, ulong seed, Device device, CancellationToken cancellation)
    {
        (Network front, var sources) = FrontNetwork.UpTo(model.Network, hidden);
        using var on = new Model(front, device);
        on.Load(new ModelSnapshot(front, [.. sources.Select(p => model.Values[p.Index])], [.. sources.Select(p => model.Masks[p.Index])]));
        var loader = new BatchLoader(data, batchSize, Augmentation.None, shuffle: true, seed);
        using var plan = new Plan(on, loader.BatchSize, training: false);
        int elements = hidden.Output.Elements;
        var sums = new double[elements];
        var activations = new float[(long)loader.BatchSize * elements];
        long samples = 0;
        foreach (Batch batch in loader.Epoch(0).Take(batches))
        {
            cancellation.ThrowIfCancellationRequested();
            plan.Load(batch, data.Normalization);
            plan.RunEvaluation();
            plan.ReadLogits(activations.AsSpan(0, batch.Count * elements));
            for (int i = 0; i < batch.Count; i++)
                for (int e = 0; e < elements; e++) sums[e] += activations[(long)i * elements + e];
            samples += batch.Count;
        }
        return new HiddenSums([.. sums.Select(s => (float)s)], samples);
    }

    /// <summary>Of each unit, over positions.</summary>
    public double[] ByUnit(int units)
    {
        int positions = Sums.Length / units;
        return [.. Enumerable.Range(0, units).Select(u => Sums.AsSpan(u * positions, positions).ToArray().Sum(v => (double)v))];
    }
}
