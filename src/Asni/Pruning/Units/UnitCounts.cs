using System.Collections.Immutable;
using System.Globalization;
using Asni.Networks;
using Asni.Networks.Rewriting;

namespace Asni.Pruning.Units;

/// <summary>How many units of each group stay, of a network that may have lost some of them already. Shares are of the original network.</summary>
/// <param name="original">The network at first.</param>
/// <param name="names">Of its groups that lose units.</param>
/// <param name="latency">Time of one image; null where the target does not speak of it.</param>
internal sealed class UnitCounts(UnitTarget target, Network original, ImmutableArray<string> names, Func<Network, double>? latency = null)
{
    /// <summary>Of a share.</summary>
    private const double Rounding = 1e-12;

    private readonly ImmutableArray<int> _units = [.. GroupsOf(original, names).Select(g => g.Units)];
    private readonly bool _countsUnits = target.Budget is null;

    /// <summary>Of the original network, once it is known.</summary>
    private double? _cost;

    /// <summary>Checks what a run would take out of a network.</summary>
    /// <param name="groups">That lose units.</param>
    /// <exception cref="UsageException">The criterion cannot choose among their units, or the target cannot be reached.</exception>
    public static void Validate(UnitTarget target, UnitSelection selection, Network network, ImmutableArray<PrunableGroup> groups)
    {
        selection.Validate(groups);
        new UnitCounts(target, network, [.. groups.Select(g => g.Name)]).Validate();
    }

    /// <summary>The groups of those names.</summary>
    public static ImmutableArray<PrunableGroup> GroupsOf(Network network, ImmutableArray<string> names)
    {
        var byName = PrunableGroups.Find(network).Groups.ToDictionary(g => g.Name);
        return [.. names.Select(n => byName[n])];
    }

    /// <param name="current">The network as it is now.</param>
    /// <param name="scores">By group and unit, where the allocation needs them; losses by group and level, where it is by impairment.</param>
    /// <param name="progress">Share of what has to go that is to be gone, (0, 1].</param>
    /// <param name="floors">Units that each group keeps at least, of those that it has; null: as many as it needs. They hold where the target does not.</param>
    /// <exception cref="UsageException">The target is less than what the fewest units in each group need.</exception>
    public int[] Kept(Network current, Func<double[][]> scores, double progress = 1, int[]? floors = null)
    {
        ImmutableArray<PrunableGroup> groups = [.. GroupsOf(current, names).Select((group, g) => group with { Floor = floors?[g] ?? 0 })];
        int[] now = [.. groups.Select(g => g.Units)];
        if (_countsUnits && target.Allocation == UnitAllocation.Uniform)
            return [.. groups.Select((group, g) => Math.Min(now[g], target.Kept(group, _units[g], progress)))];
        int[] order = [.. target.Allocation switch
        {
            UnitAllocation.Uniform => Uniform(groups),
            UnitAllocation.Impairment => Impairment.Order(groups, scores(), Savings(current, groups)),
            _ => Pooled(current, groups, scores()),
        }];
        double share = 1 - progress * (1 - (target.Budget?.Share ?? target.Ratio));
        int removed = First(order.Length, n => Holds(After(n)));
        // Floors come before the target.
        if (removed > order.Length && floors is null) throw new UsageException(DescribeShortage(Share(current, After(order.Length)), share));
        return After(Math.Min(removed, order.Length));

        bool Holds(int[] kept) => _countsUnits ? kept.Sum() <= Math.Round(share * _units.Sum(), MidpointRounding.AwayFromZero) : Share(current, kept) <= share + Rounding;

        int[] After(int removals)
        {
            int[] left = [.. now];
            foreach (int group in order.AsSpan(0, removals)) left[group]--;
            return [.. left.Select((units, g) => units == now[g] ? units : Math.Min(now[g], target.Rounded(groups[g], units, _units[g])))];
        }
    }

    /// <summary>Of a network that has lost nothing yet, whether the target can be reached at all.</summary>
    /// <exception cref="UsageException">It cannot.</exception>
    public void Validate()
    {
        // Time is not known before it is measured, on the device of the run.
        if (target.Budget is { Of: UnitCost.Latency } || _countsUnits && target.Allocation == UnitAllocation.Uniform) return;
        int[] least = [.. GroupsOf(original, names).Select(g => target.Rounded(g, 0, g.Units))];
        double share = target.Budget?.Share ?? target.Ratio, reached = Share(original, least);
        if (reached > share + Rounding) throw new UsageException(DescribeShortage(reached, share));
    }

    /// <summary>The groups that lose a unit, removal after removal: the one that has lost the smallest share. The fewest that a group can have are left.</summary>
    private static IEnumerable<int> Uniform(ImmutableArray<PrunableGroup> groups) => groups
        .SelectMany((group, g) => Enumerable.Range(1, group.Units - group.Least).Select(n => (Group: g, Share: (double)n / group.Units)))
        .OrderBy(r => r.Share).ThenBy(r => r.Group).Select(r => r.Group);

    /// <summary>The groups that lose a unit, by the scores of these; of each group the largest are left.</summary>
    private IEnumerable<int> Pooled(Network current, ImmutableArray<PrunableGroup> groups, double[][] scores)
    {
        double[] cost = target.Allocation == UnitAllocation.PerCost ? Savings(current, groups) : [.. groups.Select(_ => 1.0)];
        return scores
            .SelectMany((all, g) => all.Order().Take(all.Length - groups[g].Least).Select(score => (Group: g, Score: score / (target.Allocation == UnitAllocation.Raw ? 1 : Mean(all)) / cost[g])))
            .OrderBy(r => r.Score).ThenBy(r => r.Group).Select(r => r.Group);
    }

    /// <summary>1 where all scores are 0.</summary>
    private static double Mean(double[] scores) => scores.Average() is > 0 and var mean ? mean : 1;

    /// <summary>Of taking one unit out of each group that can lose one; one unit's time is too little to be measured, and multiply-accumulates stand for it.</summary>
    private double[] Savings(Network current, ImmutableArray<PrunableGroup> groups) => [.. groups.Select((group, g) => group.Units == group.Least ? 1
        : Counted(current) - Counted(With(current, [.. groups.Select((of, other) => other == g ? of.Units - 1 : of.Units)])))];

    /// <summary>Of what the target speaks of in the original network.</summary>
    private double Share(Network current, int[] kept) => _countsUnits ? (double)kept.Sum() / _units.Sum() : Cost(With(current, kept)) / (_cost ??= Cost(original));

    private Network With(Network current, int[] kept) => NarrowNetwork.Create(current, Enumerable.Range(0, kept.Length).ToDictionary(g => names[g], g => kept[g]));

    private double Cost(Network network) => target.Budget is { Of: UnitCost.Latency } ? latency!(network) : Counted(network);

    private double Counted(Network network) => NetworkAnalysis.Analyze(network) is var analysis && target.Budget is { Of: UnitCost.Params } ? analysis.Parameters : analysis.Macs;

    private string DescribeShortage(double least, double share) => string.Create(CultureInfo.InvariantCulture,
        $"{original.Name} cannot keep as little as {share:P4} {OfWhat}: with the fewest units in each group that can lose some it has {least:P4} of them.");

    private string OfWhat => target.Budget?.Of switch
    {
        null => "of its units",
        UnitCost.Params => "of its parameters",
        UnitCost.Macs => "of its multiply-accumulates",
        _ => "of its time for an image",
    };

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
