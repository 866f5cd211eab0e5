using System.Collections.Immutable;
using System.Runtime.Intrinsics;
using Asni.Networks;
using Asni.Tensors;

namespace Asni.Pruning.Units;

/// <summary>A number for each unit, by which units of a group, and with <see cref="UnitAllocation"/> of several groups, are compared: the larger, the longer it stays.</summary>
internal interface IUnitScore
{
    /// <returns>By group, then by unit.</returns>
    double[][] Score(TrainedNetwork model, ImmutableArray<PrunableGroup> groups, Calibration calibration);
}

/// <summary>A score of the weights that make a unit; in a group that several layers make, the mean over them (Fang et al. 2023, arXiv 2301.12900).</summary>
internal abstract class ProducerScore : IUnitScore
{
    public double[][] Score(TrainedNetwork model, ImmutableArray<PrunableGroup> groups, Calibration calibration) => [.. groups.Select(g => Mean(g, model))];

    /// <summary>Of each output's filter.</summary>
    protected abstract double[] Score(float[] weights, FilterShape filter);

    private double[] Mean(PrunableGroup group, TrainedNetwork model)
    {
        double[][] all = [.. group.Producers.Select(p => Score(model.Values[p.Weight.Index], p.Weight.Filter))];
        return [.. Enumerable.Range(0, group.Units).Select(u => all.Average(scores => scores[u]))];
    }
}

/// <summary>A norm of each filter: L1 (Li et al. 2017, arXiv 1608.08710), L2.</summary>
internal sealed class FilterNorm(Func<float, double> term, Func<double, double> ofSum) : ProducerScore
{
    protected override double[] Score(float[] weights, FilterShape filter) => [.. weights.Chunk(filter.FanIn).Select(row => ofSum(row.Sum(term)))];
}

/// <summary>Sum of the distances to the other filters of the layer: filters near the geometric median go (He et al. 2019, arXiv 1811.00250: FPGM).</summary>
internal sealed class GeometricMedian : ProducerScore
{
    protected override double[] Score(float[] weights, FilterShape filter)
    {
        int units = filter.Out, length = filter.FanIn;
        var distances = new double[units * units];
        Parallel.For(0, units, u =>
        {
            for (int v = u + 1; v < units; v++)
                distances[u * units + v] = distances[v * units + u] = Distance(weights.AsSpan(u * length, length), weights.AsSpan(v * length, length));
        });
        return [.. distances.Chunk(units).Select(row => row.Sum())];
    }

    private static double Distance(ReadOnlySpan<float> a, ReadOnlySpan<float> b)
    {
        Vector256<float> sums = default;
        int i = 0;
        for (; i <= a.Length - Vector256<float>.Count; i += Vector256<float>.Count)
        {
            Vector256<float> difference = Vector256.Create(a[i..]) - Vector256.Create(b[i..]);
            sums += difference * difference;
        }
        double sum = Vector256.Sum(sums);
        for (; i < a.Length; i++) sum += Math.Pow(a[i] - b[i], 2);
        return Math.Sqrt(sum);
    }
}

/// <summary>Magnitude of the batch-norm weight (Liu et al. 2017, arXiv 1708.06519: network slimming); of several batch-norms, the mean.</summary>
internal sealed class BatchNormScale : IUnitScore
{
    public double[][] Score(TrainedNetwork model, ImmutableArray<PrunableGroup> groups, Calibration calibration) =>
        [.. groups.Select(g => Enumerable.Range(0, g.Units).Select(u => NormsOf(g).Average(n => Math.Abs((double)model.Values[n.Weight.Index][u]))).ToArray())];

    /// <exception cref="UsageException">There is none.</exception>
    public static BatchNormNode[] NormsOf(PrunableGroup group) => group.Members.OfType<BatchNormNode>().ToArray() is { Length: > 0 } norms ? norms
        : throw new UsageException($"there is no batch-norm behind {group.Name}: the criterion bnscale needs its scales.");
}

/// <summary>Random numbers, by the seed and the group's place in the network.</summary>
internal sealed class RandomUnits : IUnitScore
{
    public double[][] Score(TrainedNetwork model, ImmutableArray<PrunableGroup> groups, Calibration calibration) => [.. groups.Select(g =>
    {
        var random = SplitMix64.Fork(calibration.Seed, (ulong)g.Producers[0].Id);
        return Enumerable.Range(0, g.Units).Select(_ => random.NextDouble()).ToArray();
    })];
}
