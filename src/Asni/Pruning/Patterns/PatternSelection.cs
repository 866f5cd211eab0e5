using Asni.Devices;
using Asni.Networks;
using Asni.Tensors;

namespace Asni.Pruning;

/// <summary>Chooses on the host, from downloaded numbers, so that every device has the same masks.</summary>
internal abstract class PatternSelection(DeviceParameters parameters, Ranking ranking) : Selection(parameters, ranking)
{
    public sealed override double? Keep(IReadOnlyCollection<Parameter> tensors, long kept)
    {
        if (kept >= Live(tensors)) return null;
        (IReadOnlyList<(Parameter Tensor, Mask Mask)> chosen, double? cut) = Find(tensors, kept);
        foreach ((Parameter p, Mask mask) in chosen) Parameters.SetMask(p.Index, mask);
        return cut;
    }

    public override void Mark(IReadOnlyCollection<Parameter> tensors, long kept)
    {
        foreach ((Parameter p, Mask mask) in Choose(tensors, kept))
        {
            var gates = new float[p.Elements];
            for (int i = 0; i < gates.Length; i++) gates[i] = mask[i] ? 1 : 0;
            Parameters.Upload(p.Index, ParameterSlot.Gate, gates);
        }
    }

    public sealed override IEnumerable<(Parameter Tensor, Mask Mask)> Choose(IReadOnlyCollection<Parameter> tensors, long kept) =>
        kept >= Live(tensors) ? tensors.Select(p => (p, MaskOf(p))) : Find(tensors, kept).Masks;

    /// <summary>The masks that keep at most so many weights, fewer than live, and the smallest score of what they keep; null when that is nothing.</summary>
    protected abstract (IReadOnlyList<(Parameter Tensor, Mask Mask)> Masks, double? Cut) Find(IReadOnlyCollection<Parameter> tensors, long kept);

    /// <summary>A copy.</summary>
    protected Mask MaskOf(Parameter tensor) => Parameters.GetMask(tensor.Index) ?? new Mask(tensor.Elements);

    /// <summary>What each element ranks by. What pruned ones have means nothing.</summary>
    /// <exception cref="DivergenceException">A live element ranks by NaN.</exception>
    protected float[] Ranks(Parameter tensor, Mask mask)
    {
        float[] ranks = DownloadRanks(tensor);
        for (int i = 0; i < ranks.Length; i++)
            if (mask[i] && float.IsNaN(ranks[i])) throw DeviceParameters.CreateUnrankable(tensor, Ranking);
        return ranks;
    }
}
