using System.Collections.Immutable;
using Asni.Networks;

namespace Asni.Pruning;

/// <summary>
/// The same density in each tensor, with two exceptions (Gale, Elsen, Hooker 2019, arXiv 1902.09574; as in LAMP's code): the first convolution is dense, and the last layer keeps at least
/// 20 %. They hold as long as the other tensors keep half of the overall density K / N. For a smaller K all densities fall in proportion to K (ours: the source has no such sparsities).
/// </summary>
internal sealed class UniformPlus : IAllocation
{
    private const double LeastLastDensity = 0.2, LeastShareOfOthers = 0.5;

    public IEnumerable<Quota> Quotas(ImmutableArray<Parameter> tensors, double sparsity, Selection selection)
    {
        long keep = Quota.At(sparsity, tensors);
        double[] densities = Densities(tensors, keep);
        return Apportionment.Compute(keep, tensors, [.. tensors.Select((p, i) => densities[i] * p.Elements)], selection);
    }

    /// <summary>Of each tensor, when <paramref name="keep"/> stay. None rises as fewer stay: where weights do not return, a gradual method could not follow.</summary>
    public static double[] Densities(ImmutableArray<Parameter> tensors, long keep)
    {
        Parameter? first = tensors.FirstOrDefault(p => p.IsWeight && p.Shape.Dims.Length == 4);
        Parameter? last = tensors.LastOrDefault(p => p.IsWeight && p != first);
        double total = tensors.Sum(p => p.Elements), dense = first?.Elements ?? 0, ofLast = last?.Elements ?? 0;
        double least = LeastKept(total, dense, ofLast), held = Math.Max(keep, least), scale = keep < least ? keep / least : 1;
        double others = (held - dense) / (total - dense), lastDensity = others;
        if (others < LeastLastDensity)
        {
            lastDensity = LeastLastDensity;
            others = (held - dense - lastDensity * ofLast) / (total - dense - ofLast);
        }
        return [.. tensors.Select(p => scale * (p == first ? 1 : p == last ? lastDensity : others))];
    }

    /// <summary>The K at which both exceptions are met and the others have the least share of K / N: the solution of K = exceptions + share K / N others.</summary>
    private static double LeastKept(double total, double dense, double ofLast)
    {
        double Solve(double exceptions, double others) => exceptions / (1 - LeastShareOfOthers * others / total);
        double least = Solve(dense, total - dense);
        // The last layer is one of the others where these have what it needs.
        return LeastShareOfOthers * least / total >= LeastLastDensity ? least : Solve(dense + LeastLastDensity * ofLast, total - dense - ofLast);
    }
}
