using System.Collections.Immutable;
using Asni.Networks;

namespace Asni.Pruning;

/// <summary>How the weights that stay are shared out between tensors.</summary>
internal interface IAllocation
{
    /// <summary>What to keep at a sparsity; each tensor is in one quota.</summary>
    /// <param name="selection">What lives of the tensors, and how it ranks.</param>
    IEnumerable<Quota> Quotas(ImmutableArray<Parameter> tensors, double sparsity, Selection selection);
}

/// <summary>Weights to keep of some tensors together.</summary>
internal readonly record struct Quota(ImmutableArray<Parameter> Tensors, long Kept)
{
    /// <summary>K = N - round(S N), halves away from zero.</summary>
    public static long At(double sparsity, long total) => total - (long)Math.Round(sparsity * total, MidpointRounding.AwayFromZero);

    /// <inheritdoc cref="At(double, long)"/>
    public static long At(double sparsity, ImmutableArray<Parameter> tensors) => At(sparsity, tensors.Sum(p => p.Elements));
}
