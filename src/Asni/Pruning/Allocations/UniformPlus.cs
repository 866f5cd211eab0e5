using System.Collections.Immutable;
using Asni.Networks;

namespace Asni.Pruning;

/// <summary>
/// The same density in each tensor, with two exceptions (Gale, Elsen, Hooker 2019, arXiv 1902.09574; as in LAMP's code): the first convolution is dense, and the last layer keeps at least
/// 20 %. Where these two alone would take more than K, all tensors have the same density.
/// </summary>
internal sealed class UniformPlus : IAllocation
{
    private const double LeastLastDensity = 0.2;

    public IEnumerable<Quota> Quotas(ImmutableArray<Parameter> tensors, double sparsity, Selection selection)
    {
        long keep = Quota.At(sparsity, tensors);
        double[] densities = Densities(tensors, keep);
        return Apportionment.Compute(keep, tensors, [.. tensors.Select((p, i) => densities[i] * p.Elements)], selection);
    }

    /// <summary>Of each tensor, when <paramref name="keep"/> stay.</summary>
    public static double[] Densities(ImmutableArray<Parameter> tensors, long keep)
    {
        Parameter? first = tensors.FirstOrDefault(p => p.IsWeight && p.Shape.Dims.Length == 4);
        Parameter? last = tensors.LastOrDefault(p => p.IsWeight && p != first);
        long total = tensors.Sum(p => p.Elements), dense = first?.Elements ?? 0, ofLast = last?.Elements ?? 0;
        double others = (double)(keep - dense) / (total - dense), lastDensity = others;
        if (others < LeastLastDensity)
        {
            lastDensity = LeastLastDensity;
            others = (keep - dense - lastDensity * ofLast) / (total - dense - ofLast);
        }
        // Not so either where there is nothing but the exceptions.
        if (!(others >= 0)) return [.. tensors.Select(_ => (double)keep / total)];
        return [.. tensors.Select(p => p == first ? 1 : p == last ? lastDensity : others)];
    }
}
