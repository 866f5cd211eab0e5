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
