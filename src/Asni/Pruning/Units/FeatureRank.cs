using System.Collections.Immutable;
using Asni.Networks;

namespace Asni.Pruning.Units;

/// <summary>Mean rank of a unit's feature maps over images, where they are read, in front of pools (Lin et al. 2020, arXiv 2002.10179: HRank). Where several nodes are read, the mean over them.</summary>
internal sealed class FeatureRank : IUnitScore
{
    public double[][] Score(TrainedNetwork model, ImmutableArray<PrunableGroup> groups, Calibration calibration) => [.. groups.Select(g => Score(model, g, calibration))];

    private static double[] Score(TrainedNetwork model, PrunableGroup group, Calibration calibration)
    {
        Node[] read = [.. group.Consumers.SelectMany(c => c.Inputs).Select(i => BeforePools(model.Network, i)).DistinctBy(n => n.Id)];
        var sums = new double[group.Units];
        foreach (Node node in read)
        {
            (int height, int width) = (node.Output.Height, node.Output.Width);
            long seen = 0;
            var ranks = new long[group.Units];
            calibration.Push(model, node, (activations, images) =>
            {
                float[] maps = activations.ToArray();
                Parallel.For(0, group.Units, u =>
                {
                    for (int i = 0; i < images; i++) ranks[u] += Of(maps.AsSpan((i * group.Units + u) * height * width, height * width), height, width);
                });
                seen += images;
            });
            for (int u = 0; u < sums.Length; u++) sums[u] += (double)ranks[u] / seen / read.Length;
        }
        return sums;
    }

    private static Node BeforePools(Network network, int id)
    {
        Node node = network.Nodes[id];
        while (node is MaxPoolNode or GlobalAveragePoolNode) node = network.Nodes[node.Inputs[0]];
        return node;
    }

    /// <summary>
    /// Rank of a matrix, by elimination with complete pivoting: pivots count that are larger than the first times max(height, width) 2^-23, the bound that PyTorch's
    /// matrix_rank has for singular values.
    /// </summary>
    /// <param name="map">Row-major.</param>
    public static int Of(ReadOnlySpan<float> map, int height, int width)
    {
        var a = new double[map.Length];
        for (int i = 0; i < a.Length; i++) a[i] = map[i];
        double least = 0;
        for (int rank = 0; ; rank++)
        {
            (int row, int column, double pivot) = Largest(a, rank, height, width);
            if (rank == 0) least = pivot * Math.Max(height, width) * Math.Pow(2, -23);
            if (pivot <= least) return rank;
            for (int x = 0; x < width; x++) (a[rank * width + x], a[row * width + x]) = (a[row * width + x], a[rank * width + x]);
            for (int y = 0; y < height; y++) (a[y * width + rank], a[y * width + column]) = (a[y * width + column], a[y * width + rank]);
            for (int y = rank + 1; y < height; y++)
            {
                double factor = a[y * width + rank] / a[rank * width + rank];
                if (factor == 0) continue;
                for (int x = rank; x < width; x++) a[y * width + x] -= factor * a[rank * width + x];
            }
        }
    }

    /// <summary>Of what is left below and right of the diagonal's element; magnitude 0 when nothing is.</summary>
    private static (int Row, int Column, double Magnitude) Largest(double[] a, int from, int height, int width)
    {
        (int Row, int Column, double Magnitude) best = default;
        for (int y = from; y < height; y++)
            for (int x = from; x < width; x++)
                if (Math.Abs(a[y * width + x]) is var magnitude && magnitude > best.Magnitude) best = (y, x, magnitude);
        return best;
    }
}
