using System.Collections.Immutable;
using Asni.Networks;

namespace Asni.Pruning;

/// <summary>Whole numbers with an exact sum.</summary>
internal static class Apportionment
{
    /// <summary>
    /// The shares rounded down, and what is left of K to those with the largest fractions. No tensor is given more than lives of it: as K falls, a
    /// fraction may grow, and a tensor's number would rise where weights do not return.
    /// </summary>
    /// <param name="shares">Of each tensor, with the sum K.</param>
    public static IEnumerable<Quota> Compute(long keep, ImmutableArray<Parameter> tensors, double[] shares, Selection selection)
    {
        long[] live = [.. tensors.Select(selection.Live)];
        long[] kept = [.. shares.Zip(live, (share, max) => Math.Min((long)share, max))];
        int[] byFraction = [.. Enumerable.Range(0, kept.Length).OrderByDescending(i => shares[i] - Math.Floor(shares[i])).ThenBy(i => i)];
        long rest = Math.Min(keep, live.Sum()) - kept.Sum();
        while (rest > 0)
        {
            foreach (int i in byFraction)
            {
                if (rest == 0 || kept[i] == live[i]) continue;
                kept[i]++;
                rest--;
            }
        }
        return tensors.Zip(kept, (p, k) => new Quota([p], k));
    }
}
