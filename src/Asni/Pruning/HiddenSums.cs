using Asni.Data;
using Asni.Devices;
using Asni.Engine;
using Asni.Networks;

namespace Asni.Pruning;

/// <summary>Sums of a group's hidden activations over calibration images: (C, H, W), all that i-SpaSP needs to know of the data.</summary>
/// <param name="Sums">One number for each channel and position.</param>
/// <param name="Samples">Images they are sums of.</param>
internal sealed record HiddenSums(float[] Sums, long Samples)
{
    /// <summary>Pushes the first batches of a dataset's epoch order through the front of a network.</summary>
    public static HiddenSums Measure(TrainedNetwork model, Node hidden, Dataset data, int batches, int batchSize, ulong seed, Device device, CancellationToken cancellation) =>
        Measure(new Calibration(data, new ImageBatches(batches, batchSize), seed, device, cancellation), model, hidden);

    internal static HiddenSums Measure(Calibration calibration, TrainedNetwork model, Node hidden)
    {
        int elements = hidden.Output.Elements;
        var sums = new double[elements];
        long samples = 0;
        calibration.Push(model, hidden, (activations, count) =>
        {
            for (int i = 0; i < count; i++)
                for (int e = 0; e < elements; e++) sums[e] += activations[i * elements + e];
            samples += count;
        });
        return new HiddenSums([.. sums.Select(s => (float)s)], samples);
    }

    /// <summary>Of each unit, over positions.</summary>
    public double[] ByUnit(int units)
    {
        int positions = Sums.Length / units;
        return [.. Enumerable.Range(0, units).Select(u => Sums.AsSpan(u * positions, positions).ToArray().Sum(v => (double)v))];
    }
}
