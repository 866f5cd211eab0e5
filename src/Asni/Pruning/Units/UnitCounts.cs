using System.Collections.Immutable;
using System.Globalization;
using Asni.Networks;
using Asni.Networks.Rewriting;

namespace Asni.Pruning.Units;

/// <summary>How many units of each group stay, of a network that may have lost some of them already. Shares are of the original network.</summary>
/// <param name="original">The network at first.</param>
/// <param name="names">Of its groups that lose units.</param>
internal sealed class UnitCounts(UnitTarget target, Network original, ImmutableArray<string> names)
{
    private readonly ImmutableArray<int> _units = [.. GroupsOf(original, names).Select(g => g.Units)];

    /// <summary>The groups of those names.</summary>
    public static ImmutableArray<PrunableGroup> GroupsOf(Network network, ImmutableArray<string> names)
    {
        var byName = PrunableGroups.Find(network).Groups.ToDictionary(g => g.Name);
        return [.. names.Select(n => byName[n])];
    }

    /// <param name="current">The network as it is now.</param>
    /// <param name="scores">By group and unit, where the allocation needs them.</param>
    /// <param name="progress">Share of what has to go that is to be gone, (0, 1].</param>
    /// <exception cref="UsageException">The budget is less than what one unit in each group needs.</exception>
    public int[] Kept(Network current, Func<double[][]> scores, double progress = 1)
    {
        int[] now = [.. GroupsOf(current, names).Select(g => g.Units)];
        if (!target.HasBudget && target.Allocation == UnitAllocation.Uniform)
            return [.. now.Select((units, g) => Math.Min(units, target.Kept(names[g], _units[g], progress)))];
        int[] order = [.. target.Allocation == UnitAllocation.Uniform ? Uniform(now) : Pooled(current, now, scores())];
        double share = 1 - progress * (1 - (target.Macs ?? target.Parameters ?? target.Ratio));
        int removed = First(order.Length, n => Holds(After(n), share));
        if (removed > order.Length) throw new UsageException(DescribeShortage(current, After(order.Length), share));
        return After(removed);

        int[] After(int removals)
        {
            int[] left = [.. now];
            foreach (int group in order.AsSpan(0, removals)) left[group]--;
            return [.. left.Select((units, g) => units == now[g] ? units : Math.Min(now[g], target.Rounded(units, _units[g])))];
        }

        bool Holds(int[] kept, double of) => target.HasBudget ? Cost(With(current, kept)) <= of * Cost(original) : kept.Sum() <= Math.Round(of * _units.Sum(), MidpointRounding.AwayFromZero);
    }

    /// <summary>Of a network that has lost nothing yet, whether the target can be reached at all.</summary>
    /// <exception cref="UsageException">It cannot.</exception>
    public void Validate()
    {
        if (target.HasBudget) _ = new UnitCounts(target with { Allocation = UnitAllocation.Uniform }, original, names).Kept(original, () => []);
    }

    /// <summary>The groups that lose a unit, removal after removal: the one that has lost the smallest share. One unit of each is left.</summary>
    private static IEnumerable<int> Uniform(int[] units) => units
        .SelectMany((count, g) => Enumerable.Range(1, count - 1).Select(n => (Group: g, Share: (double)n / count)))
        .OrderBy(r => r.Share).ThenBy(r => r.Group).Select(r => r.Group);

    /// <summary>The groups that lose a unit, by the scores of these; of each group the largest is left.</summary>
    private IEnumerable<int> Pooled(Network current, int[] units, double[][] scores)
    {
        double[] cost = [.. units.Select((count, g) => target.Allocation == UnitAllocation.PerCost && count > 1 ? Saving(current, units, g) : 1)];
        return scores
            .SelectMany((all, g) => all.Order().Take(all.Length - 1).Select(score => (Group: g, Score: score / Mean(all) / cost[g])))
            .OrderBy(r => r.Score).ThenBy(r => r.Group).Select(r => r.Group);
    }

    /// <summary>1 where all scores are 0.</summary>
    private static double Mean(double[] scores) => scores.Average() is > 0 and var mean ? mean : 1;

    private double Saving(Network current, int[] units, int group) =>
        Cost(current) - Cost(With(current, [.. units.Select((count, g) => g == group ? count - 1 : count)]));

    private Network With(Network current, int[] kept) => NarrowNetwork.Create(current, Enumerable.Range(0, kept.Length).ToDictionary(g => names[g], g => kept[g]));

    private double Cost(Network network) => NetworkAnalysis.Analyze(network) is var analysis && target.Parameters is not null ? analysis.Parameters : analysis.Macs;

    private string DescribeShortage(Network current, int[] least, double share) => string.Create(CultureInfo.InvariantCulture,
        $"{original.Name} cannot keep as little as {share:P4} of its {(target.Parameters is not null ? "parameters" : "multiply-accumulates")}: with {(target.Multiple == 1 ? "one unit" : "the fewest units")} in each group that can lose some it has {Cost(With(current, least)) / Cost(original):P4} of them.");

    /// <summary>The smallest number from 0 to a count of which something holds that, once true, stays so; count + 1 where it never does.</summary>
    private static int First(int count, Func<int, bool> holds)
    {
        (int low, int high) = (0, count + 1);
        while (low < high)
        {
            int middle = (low + high) / 2;
            if (middle > count || holds(middle)) high = middle;
            else low = middle + 1;
        }
        return low;
    }
}
