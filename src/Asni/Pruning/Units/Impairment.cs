using System.Collections.Immutable;
using Asni.Networks;
using Asni.Networks.Rewriting;

namespace Asni.Pruning.Units;

/// <summary>
/// Shares units out by what taking them out does to the loss: each group alone loses tenths of its units, then all that it can, and is impaired so much; then, again and again, the group goes on that
/// is impaired least for what that saves. A small form of what EMO-DIR (2023, arXiv 2303.16212) does with populations of trained sub-networks: nothing is trained or evolved here.
/// </summary>
internal static class Impairment
{
    private const int Levels = 10;

    /// <summary>How many units of a group are out at each level, from none on.</summary>
    public static int[] RemovedAt(PrunableGroup group) =>
        [.. Enumerable.Range(0, Levels).Select(k => Math.Min((int)Math.Round((double)k * group.Units / Levels), group.Units - group.Least)).Append(group.Units - group.Least).Distinct()];

    /// <summary>The mean loss, with a group at each of its levels and all others whole.</summary>
    /// <param name="scores">By group and unit: the smallest go first.</param>
    public static double[][] Measure(TrainedNetwork model, ImmutableArray<PrunableGroup> groups, double[][] scores, Calibration calibration)
    {
        double whole = Finite(calibration.Loss(model));
        return [.. groups.Select((group, g) => RemovedAt(group).Select(removed => removed == 0 ? whole : LossWithout(group, scores[g], removed)).ToArray())];

        double LossWithout(PrunableGroup group, double[] of, int removed) =>
            Finite(calibration.Loss(NarrowNetwork.Keep(model, new Dictionary<string, ImmutableArray<int>> { [group.Name] = [.. UnitSelection.Largest(of, group.Units - removed)] })));
    }

    /// <summary>What is no number is worse than all that are.</summary>
    private static double Finite(double loss) => double.IsFinite(loss) ? loss : 1e30;

    /// <summary>The groups that lose a unit, removal after removal.</summary>
    /// <param name="losses">Of <see cref="Measure"/>.</param>
    /// <param name="saving">What taking one unit out of each group saves.</param>
    public static IEnumerable<int> Order(ImmutableArray<PrunableGroup> groups, double[][] losses, double[] saving)
    {
        int[][] removed = [.. groups.Select(RemovedAt)];
        var level = new int[groups.Length];
        // Levels between two of which a later one impairs less a unit are passed over.
        for (; ; )
        {
            (double Slope, int Group, int Level)[] next = [.. Enumerable.Range(0, groups.Length).SelectMany(Steps)];
            if (next.Length == 0) yield break;
            (_, int group, int to) = next.Min();
            for (int unit = removed[group][level[group]]; unit < removed[group][to]; unit++) yield return group;
            level[group] = to;
        }

        IEnumerable<(double Slope, int Group, int Level)> Steps(int g) => Enumerable.Range(level[g] + 1, removed[g].Length - level[g] - 1)
            .Select(to => ((losses[g][to] - losses[g][level[g]]) / ((removed[g][to] - removed[g][level[g]]) * saving[g]), g, to));
    }
}
