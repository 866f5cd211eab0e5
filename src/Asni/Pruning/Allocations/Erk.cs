using System.Collections.Immutable;
using Asni.Networks;

namespace Asni.Pruning;

/// <summary>
/// Erdős-Rényi kernel (Evci et al. 2020, arXiv 1911.11134): a tensor's density is eps times the sum of its dimensions by their product, with the eps
/// that gives K in all; a tensor that would be denser than dense is dense, and the others have an eps of their own.
/// </summary>
/// <param name="kernel">False: only outputs and inputs count as dimensions (ER, Mocanu et al. 2018, arXiv 1707.04780).</param>
internal sealed class Erk(bool kernel = true) : IAllocation
{
    public IEnumerable<Quota> Quotas(ImmutableArray<Parameter> tensors, double sparsity, Selection selection)
    {
        long keep = Quota.At(sparsity, tensors);
        double[] densities = Densities(tensors, keep, kernel);
        return Apportionment.Compute(keep, tensors, [.. tensors.Select((p, i) => densities[i] * p.Elements)], selection);
    }

    /// <summary>Of each tensor, when <paramref name="keep"/> stay.</summary>
    public static double[] Densities(ImmutableArray<Parameter> tensors, long keep, bool kernel = true) =>
        Apportionment.Densities(keep, tensors, [.. tensors.Select(p => Ratio([.. kernel ? p.Shape.Dims : p.Shape.Dims.Take(2)]))]);

    private static double Ratio(double[] dimensions) => dimensions.Sum() / dimensions.Aggregate(1.0, (product, d) => product * d);
}
