using System.Collections.Immutable;
using System.Globalization;
using Asni.Devices;
using Asni.Networks;
using Asni.Tensors;

namespace Asni.Pruning;

/// <summary>
/// N:M: of each M neighbouring inputs of an output, at the same place of a kernel, the N weights with the largest score stay (Zhou et al. 2021, arXiv 2102.04010). At a sparsity S on the
/// way there M - round(S M) of them stay. A layer whose inputs are no multiple of M stays dense, and, as in the published runs, the last linear layer.
/// </summary>
/// <param name="Kept">N, from 1 on.</param>
/// <param name="Of">M, at least N.</param>
internal sealed record GroupPattern(int Kept, int Of) : WeightPattern
{
    public override string ToString() => string.Create(CultureInfo.InvariantCulture, $"{Kept}:{Of}");

    internal override bool HasSparsity => true;

    internal override double Target(double asked) => 1 - (double)Kept / Of;

    internal override double Reached(double sparsity, Network network)
    {
        ImmutableArray<Parameter> weights = [.. network.Weights];
        return 1 - (double)Quotas(weights, sparsity).Sum(q => q.Kept) / weights.Sum(p => p.Elements);
    }

    internal override IAllocation Allocation => new InEachGroup(this);

    internal override Selection Select(DeviceParameters parameters, Ranking ranking) => new OfEachGroup(Of, parameters, ranking);

    internal override string? Remark(ImmutableArray<Parameter> tensors)
    {
        string[] dense = [.. tensors.Where(p => p.IsWeight && !Takes(p, tensors)).Select(p => p == LastLinear(tensors) ? $"{p.Name} (the last linear layer)" : $"{p.Name} ({Inputs(p)} inputs)")];
        return dense.Length == 0 ? null : $"the pattern {this} leaves dense: {string.Join(", ", dense)}.";
    }

    internal override void Validate(PruningParts parts)
    {
        if (parts.Allocation != AllocationKind.Pooled || parts.Local || parts.MinimumKept > 0 || parts.Biases)
            throw new UsageException($"the pattern {this} prunes the weights of every layer alike: allocation, local, min-kept and prune-biases go with other patterns.");
    }

    internal override void Validate(Network network)
    {
        ImmutableArray<Parameter> weights = [.. network.Weights];
        if (!weights.Any(p => Takes(p, weights)))
            throw new UsageException($"the pattern {this} finds nothing to prune in {network.Name}: no layer but the last linear one has a multiple of {Of} inputs.");
    }

    /// <summary>Of each M, those that each round of cuts keeps when it prunes a share of what is left, at least 1, until N are left.</summary>
    internal IEnumerable<int> Levels(double share)
    {
        int kept = Of;
        do yield return kept = (int)Math.Max(Kept, Math.Min(kept - 1, Quota.At(share, kept)));
        while (kept > Kept);
    }

    private IEnumerable<Quota> Quotas(ImmutableArray<Parameter> tensors, double sparsity) =>
        tensors.Select(p => new Quota([p], Takes(p, tensors) ? p.Elements / Of * Quota.At(sparsity, Of) : p.Elements));

    private bool Takes(Parameter p, ImmutableArray<Parameter> tensors) => p.IsWeight && p != LastLinear(tensors) && Inputs(p) % Of == 0;

    private static Parameter? LastLinear(ImmutableArray<Parameter> tensors) => tensors.LastOrDefault(p => p.IsWeight && p.Shape.Rank == 2);

    private static int Inputs(Parameter weight) => weight.Shape[1];

    private sealed class InEachGroup(GroupPattern pattern) : IAllocation
    {
        public IEnumerable<Quota> Quotas(ImmutableArray<Parameter> tensors, double sparsity, Selection selection) => pattern.Quotas(tensors, sparsity);
    }

    private sealed class OfEachGroup(int of, DeviceParameters parameters, Ranking ranking) : PatternSelection(parameters, ranking)
    {
        /// <summary>On the device, for methods that mark at each step.</summary>
        public override void Mark(IReadOnlyCollection<Parameter> tensors, long kept)
        {
            Parameter tensor = tensors.Single();
            (int size, int each) = kept >= Live(tensor) ? (1, 1) : (of, Each(tensor, kept));
            Parameters.MarkGroups(tensor.Index, size, each, Ranking);
        }

        protected override (IReadOnlyList<(Parameter Tensor, Mask Mask)> Masks, double? Cut) Find(IReadOnlyCollection<Parameter> tensors, long kept)
        {
            Parameter tensor = tensors.Single();
            Mask mask = MaskOf(tensor);
            float[] ranks = Ranks(tensor, mask);
            int taps = ranks.Length / (tensor.Shape[0] * tensor.Shape[1]), each = Each(tensor, kept);
            var group = new int[of];
            double? cut = null;
            // M inputs of an output lie together, tap by tap, and hold a group for each tap.
            for (int block = 0; block < ranks.Length; block += of * taps)
            {
                for (int first = block; first < block + taps; first++)
                {
                    int live = 0;
                    for (int i = first; i < block + of * taps; i += taps)
                        if (mask[i]) group[live++] = i;
                    group.AsSpan(0, live).Sort(BestFirst);
                    for (int i = each; i < live; i++) mask[group[i]] = false;
                    if (each > 0 && each <= live && !(cut <= ranks[group[each - 1]])) cut = ranks[group[each - 1]];
                }
            }
            return ([(tensor, mask)], cut);

            int BestFirst(int a, int b) => ranks[a] == ranks[b] ? a.CompareTo(b) : ranks[b].CompareTo(ranks[a]);
        }

        /// <summary>How many of each group stay.</summary>
        private int Each(Parameter tensor, long kept) => (int)(kept * of / tensor.Elements);
    }
}
