using Asni.Devices;
using Asni.Engine;
using Asni.Networks;

namespace Asni.Pruning;

/// <summary>The two numbers of one tensor; null when no live element is on that side. <paramref name="Pivot"/> divides the sides.</summary>
internal readonly record struct Centroids(float? Plus, float? Minus, float Pivot);

/// <summary>
/// ASNI-II's two numbers a layer: the means of the surviving positive and negative weights (ASNI paper, section 4), or the centres that
/// Lloyd's algorithm with two means ends at, started from the split by sign.
/// </summary>
internal static class TwoMeans
{
    private const int MaximumIterations = 100;

    /// <summary>One result for each parameter, in order.</summary>
    public static Centroids[] Find(Model model, IReadOnlyList<Parameter> parameters, bool lloyd)
    {
        int[] indices = [.. parameters.Select(p => p.Index)];
        var pivots = new float[indices.Length];
        var sums = new SignStatistics[indices.Length];
        model.Parameters.SumBySign(indices, pivots, sums);
        for (int i = 0; lloyd && i < MaximumIterations && MovePivots(sums, pivots); i++)
            model.Parameters.SumBySign(indices, pivots, sums);
        return [.. sums.Zip(pivots, (s, pivot) => new Centroids(s.MeanAbove, s.MeanBelow, pivot))];
    }

    /// <summary>
    /// Gives every live element its side's number, and 0 to a live element on the pivot itself (an exact 0 has no sign).
    /// </summary>
    public static void Assign(Model model, IReadOnlyList<Parameter> parameters, IReadOnlyList<Centroids> centroids)
    {
        for (int i = 0; i < parameters.Count; i++)
            model.Parameters.AssignBySign(parameters[i].Index, centroids[i].Pivot, centroids[i].Plus ?? 0, centroids[i].Minus ?? 0);
    }

    /// <summary>Lloyd's step: the border between two means is their midpoint. False when no border moves.</summary>
    private static bool MovePivots(SignStatistics[] sums, float[] pivots)
    {
        bool moved = false;
        for (int i = 0; i < sums.Length; i++)
        {
            if (sums[i].MeanAbove is not { } above || sums[i].MeanBelow is not { } below) continue;
            float pivot = (float)(((double)above + below) / 2);
            moved |= pivot != pivots[i];
            pivots[i] = pivot;
        }
        return moved;
    }
}
