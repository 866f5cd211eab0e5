using System.Collections.Immutable;
using Asni.Networks;

namespace Asni.Pruning;

/// <summary>Whole numbers with an exact sum.</summary>
internal static class Apportionment
{
    /// <summary>Weights to keep of each tensor. As K falls, a fraction may grow, and a tensor's number would rise where weights do not return: it gets no more than lives of it.</summary>
    /// <param name="shares">Of each tensor, with the sum K.</param>
    public static IEnumerable<Quota> Compute(long keep, ImmutableArray<Parameter> tensors, double[] shares, Selection selection) =>
        tensors.Zip(Round(keep, shares, [.. tensors.Select(selection.Live)]), (p, k) => new Quota([p], k));

    /// <summary>Densities in proportion to the ratios with which K weights stay; a tensor that would be denser than dense is dense, and the others have another factor.</summary>
    /// <param name="ratios">From 0 on.</param>
    public static double[] Densities(long keep, ImmutableArray<Parameter> tensors, double[] ratios)
    {
        // From the largest ratio on: the first are dense.
        int[] order = [.. Enumerable.Range(0, ratios.Length).OrderByDescending(i => ratios[i])];
        var densities = new double[ratios.Length];
        double rest = keep;
        for (int dense = 0; dense < order.Length && ratios[order[dense]] > 0; dense++)
        {
            double factor = rest / order.Skip(dense).Sum(i => ratios[i] * tensors[i].Elements);
            if (factor * ratios[order[dense]] <= 1)
            {
                foreach (int i in order.Skip(dense)) densities[i] = factor * ratios[i];
                break;
            }
            densities[order[dense]] = 1;
            rest -= tensors[order[dense]].Elements;
        }
        return densities;
    }

    /// <summary>The shares rounded down, and what is left of the total to those with the largest fractions.</summary>
    /// <param name="shares">With the sum <paramref name="total"/>.</param>
    /// <param name="most">That each may be given.</param>
    public static long[] Round(long total, double[] shares, long[] most)
    {
        long[] given = [.. shares.Zip(most, (share, max) => Math.Min((long)share, max))];
        int[] byFraction = [.. Enumerable.Range(0, given.Length).OrderByDescending(i => shares[i] - Math.Floor(shares[i])).ThenBy(i => i)];
        long rest = Math.Min(total, most.Sum()) - given.Sum();
        while (rest > 0)
        {
            foreach (int i in byFraction)
            {
                if (rest == 0 || given[i] == most[i]) continue;
                given[i]++;
                rest--;
            }
        }
        return given;
    }
}
