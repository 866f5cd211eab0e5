using System.Collections.Immutable;
using Asni.Networks;

namespace Asni.Pruning;

/// <summary>
/// One cut over all tensors. A tensor of which it would leave fewer than a floor keeps exactly its floor, which leaves less for the others and may put
/// more of them under it: repeated until none is.
/// </summary>
/// <param name="floor">Weights that each tensor keeps; a tensor with fewer keeps what it has.</param>
internal sealed class Pooled(int floor = 0) : IAllocation
{
    public IEnumerable<Quota> Quotas(ImmutableArray<Parameter> tensors, double sparsity, Selection selection)
    {
        long keep = Quota.At(sparsity, tensors);
        var quotas = new List<Quota>();
        var free = tensors.ToList();
        while (floor > 0 && free.Count > 0)
        {
            float cut = selection.Cut(free, Math.Clamp(keep, 0, selection.Live(free)));
            var under = free.Where(p => selection.Cut([p], Floor(p)) <= cut).ToList();
            if (under.Count == 0) break;
            keep = Math.Max(0, keep - under.Sum(Floor));
            quotas.AddRange(under.Select(p => new Quota([p], Floor(p))));
            free.RemoveAll(under.Contains);
        }
        if (free.Count > 0) quotas.Add(new Quota([.. free], keep));
        return quotas;

        long Floor(Parameter p) => Math.Min(floor, selection.Live(p));
    }
}
