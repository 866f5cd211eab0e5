using Asni.Devices;
using Asni.Networks;
using Asni.Tensors;

namespace Asni.Pruning;

/// <summary>Exactly K live weights of some tensors by rank, ties by (parameter, element).</summary>
internal class Selection(DeviceParameters parameters, Ranking ranking)
{
    protected DeviceParameters Parameters => parameters;

    protected Ranking Ranking => ranking;

    /// <summary>Live weights of all of them.</summary>
    public long Live(IEnumerable<Parameter> tensors) => tensors.Sum(p => parameters.Live(p.Index));

    public long Live(Parameter tensor) => parameters.Live(tensor.Index);

    /// <summary>What the last of the <paramref name="kept"/> largest ranks by, of 0 to all live ones.</summary>
    public float Cut(IEnumerable<Parameter> tensors, long kept) => parameters.FindThreshold(Indices(tensors), kept, ranking).Value;

    /// <summary>|w| of the live elements of a tensor, in its order, whatever they rank by.</summary>
    public float[] DownloadMagnitudes(Parameter tensor)
    {
        float[] values = parameters.DownloadLive(tensor.Index, ParameterSlot.Value);
        for (int i = 0; i < values.Length; i++) values[i] = MathF.Abs(values[i]);
        return values;
    }

    /// <summary>Prunes all but the <paramref name="kept"/> largest.</summary>
    /// <returns>The cut; null where no more than that live.</returns>
    public virtual double? Keep(IReadOnlyCollection<Parameter> tensors, long kept)
    {
        if (kept >= Live(tensors)) return null;
        int[] indices = Indices(tensors);
        return parameters.Prune(indices, kept, new long[indices.Length], ranking).Value;
    }

    /// <summary>Makes the gates of what <see cref="Keep"/> would leave 1, and those of the others 0.</summary>
    public virtual void Mark(IReadOnlyCollection<Parameter> tensors, long kept) => parameters.MarkLargest(Indices(tensors), Math.Min(kept, Live(tensors)), ranking);

    /// <summary>The masks that <see cref="Keep"/> would leave; nothing is changed.</summary>
    public virtual IEnumerable<(Parameter Tensor, Mask Mask)> Choose(IReadOnlyCollection<Parameter> tensors, long kept)
    {
        Threshold? cut = kept >= Live(tensors) ? null : parameters.FindThreshold(Indices(tensors), kept, ranking);
        long equal = cut?.KeepEqual ?? 0;
        foreach (Parameter p in tensors.OrderBy(p => p.Index))
        {
            Mask mask = parameters.GetMask(p.Index) ?? new Mask(p.Elements);
            if (cut is { } at)
            {
                float[] ranks = DownloadRanks(p);
                for (int i = 0; i < ranks.Length; i++)
                    if (mask[i]) mask[i] = ranks[i] > at.Value || (ranks[i] == at.Value && equal-- > 0);
            }
            yield return (p, mask);
        }
    }

    /// <summary>What each element of a tensor ranks by.</summary>
    protected float[] DownloadRanks(Parameter tensor)
    {
        var numbers = new float[tensor.Elements];
        parameters.Download(tensor.Index, ranking.Slot(), numbers);
        if (!ranking.IsSigned())
            for (int i = 0; i < numbers.Length; i++) numbers[i] = MathF.Abs(numbers[i]);
        return numbers;
    }

    private static int[] Indices(IEnumerable<Parameter> tensors) => [.. tensors.Select(p => p.Index)];
}
