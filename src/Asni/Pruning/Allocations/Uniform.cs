using System.Collections.Immutable;
using Asni.Networks;

namespace Asni.Pruning;

/// <summary>The same density in each tensor; K in all.</summary>
internal sealed class Uniform : IAllocation
{
    public IEnumerable<Quota> Quotas(ImmutableArray<Parameter> tensors, double sparsity, Selection selection)
    {
        long keep = Quota.At(sparsity, tensors);
        double density = (double)keep / tensors.Sum(p => p.Elements);
        return Apportionment.Compute(keep, tensors, [.. tensors.Select(p => density * p.Elements)], selection);
    }
}

/// <summary>Each tensor to the sparsity by itself: K of each is rounded, and their sum may miss that of the network.</summary>
internal sealed class Local : IAllocation
{
    public IEnumerable<Quota> Quotas(ImmutableArray<Parameter> tensors, double sparsity, Selection selection) =>
        tensors.Select(p => new Quota([p], Quota.At(sparsity, p.Elements)));
}
