namespace Asni.Pruning;

/// <summary>
/// At most k numbers for many: Lloyd's algorithm in one dimension, from clusters of equally many different values. The same for values in any order; O(n log n) and, each
/// iteration, O(k log n).
/// </summary>
internal sealed class KMeans
{
    private const int MaximumIterations = 100;

    /// <summary>Between two neighbours of <see cref="Means"/>; what is on a border belongs above.</summary>
    private readonly float[] _borders;

    private KMeans(float[] means, float[] borders) => (Means, _borders) = (means, borders);

    /// <summary>Ascending; each has values that are nearest to it.</summary>
    public float[] Means { get; }

    /// <summary>The mean of a value's cluster.</summary>
    public float this[float value] => Means[Above(_borders, value)];

    /// <param name="values">Finite.</param>
    /// <param name="k">At least 1. With as many as there are different values, each of them is a mean.</param>
    public static KMeans Find(ReadOnlySpan<float> values, int k)
    {
        float[] sorted = values.ToArray();
        Array.Sort(sorted);
        float[] different = [.. sorted.Distinct()];
        if (k >= different.Length) return new KMeans(different, different.Length == 0 ? [] : different[1..]);
        var sums = new double[sorted.Length + 1];
        for (int i = 0; i < sorted.Length; i++) sums[i + 1] = sums[i] + sorted[i];
        // Border j is the first value of cluster j + 1.
        float[] borders = [.. Enumerable.Range(1, k - 1).Select(j => different[(int)((long)j * different.Length / k)])];
        double[] means = new double[k];
        for (int i = 0; ; i++)
        {
            int[] ends = Ends(sorted, borders);
            for (int j = 0; j < k; j++)
            {
                int start = j == 0 ? 0 : ends[j - 1];
                // A cluster that has lost its values keeps its place.
                if (ends[j] > start) means[j] = (sums[ends[j]] - sums[start]) / (ends[j] - start);
            }
            float[] moved = [.. Enumerable.Range(0, k - 1).Select(j => (float)((means[j] + means[j + 1]) / 2))];
            if (i == MaximumIterations || moved.AsSpan().SequenceEqual(borders)) return Used(means, borders, ends);
            borders = moved;
        }
    }

    /// <summary>Without the clusters that have no values.</summary>
    private static KMeans Used(double[] means, float[] borders, int[] ends)
    {
        int[] used = [.. Enumerable.Range(0, means.Length).Where(j => ends[j] > (j == 0 ? 0 : ends[j - 1]))];
        return new KMeans([.. used.Select(j => (float)means[j])], [.. used.Skip(1).Select(j => borders[j - 1])]);
    }

    /// <summary>Where in the sorted values each cluster ends.</summary>
    private static int[] Ends(float[] sorted, float[] borders)
    {
        var ends = new int[borders.Length + 1];
        for (int j = 0; j < borders.Length; j++) ends[j] = Below(sorted, borders[j]);
        ends[^1] = sorted.Length;
        return ends;
    }

    /// <summary>How many of the ascending numbers are less than a border.</summary>
    private static int Below(float[] sorted, float border)
    {
        (int low, int high) = (0, sorted.Length);
        while (low < high)
        {
            int middle = (low + high) >>> 1;
            if (sorted[middle] < border) low = middle + 1;
            else high = middle;
        }
        return low;
    }

    /// <summary>How many of the ascending borders are not above a value.</summary>
    private static int Above(float[] borders, float value)
    {
        (int low, int high) = (0, borders.Length);
        while (low < high)
        {
            int middle = (low + high) >>> 1;
            if (borders[middle] <= value) low = middle + 1;
            else high = middle;
        }
        return low;
    }
}
