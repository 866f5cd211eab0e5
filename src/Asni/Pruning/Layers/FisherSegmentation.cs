namespace Asni.Pruning.Layers;

/// <summary>Splits an ordered series into contiguous segments whose sums of squared differences from their means are least, all together (Fisher 1958, JASA 53, pages 789-798).</summary>
internal static class FisherSegmentation
{
    /// <summary>Segments are added as long as one more takes away this share of what the whole series has.</summary>
    private const double LeastGain = 0.05;

    /// <returns>The first element of each segment.</returns>
    /// <param name="segments">How many; null: until one more takes less than 5 % of the whole's sum away.</param>
    public static int[] Split(double[] series, int? segments = null)
    {
        int count = series.Length;
        (double[,] least, int[,] lastOf) = Solve(series, Math.Min(segments ?? count, count));
        int k = Math.Min(segments ?? count, count);
        if (segments is null)
        {
            k = 1;
            // Equal numbers differ by their rounding.
            bool differ = least[1, count] > 1e-18 * series.Sum(x => x * x);
            while (differ && k < count && least[k, count] - least[k + 1, count] >= LeastGain * least[1, count]) k++;
        }
        var firsts = new int[k];
        for (int end = count; k > 0; k--) end = firsts[k - 1] = lastOf[k, end];
        return firsts;
    }

    /// <summary>The sum of squared differences from the means of the segments.</summary>
    public static double Cost(double[] series, int[] firsts) =>
        firsts.Select((first, s) => Cost(series.AsSpan(first..(s + 1 < firsts.Length ? firsts[s + 1] : series.Length)))).Sum();

    private static double Cost(ReadOnlySpan<double> part)
    {
        double mean = 0, sum = 0;
        foreach (double x in part) mean += x / part.Length;
        foreach (double x in part) sum += (x - mean) * (x - mean);
        return sum;
    }

    /// <summary>By numbers of segments and of leading elements: the least cost, and where the last segment begins.</summary>
    private static (double[,] Least, int[,] LastOf) Solve(double[] series, int segments)
    {
        int count = series.Length;
        var least = new double[segments + 1, count + 1];
        var lastOf = new int[segments + 1, count + 1];
        for (int k = 1; k <= segments; k++)
            for (int end = k; end <= count; end++)
            {
                least[k, end] = double.PositiveInfinity;
                for (int first = k - 1; first < end && (k > 1 || first == 0); first++)
                {
                    double cost = least[k - 1, first] + Cost(series.AsSpan(first..end));
                    if (cost < least[k, end]) (least[k, end], lastOf[k, end]) = (cost, first);
                }
            }
        return (least, lastOf);
    }
}
