using Asni.Devices;
using Asni.Networks;
using Asni.Tensors;

namespace Asni.Pruning;

/// <summary>Exactly K live weights of some tensors by rank, ties by (parameter, element).</summary>
internal sealed class Selection(DeviceParameters parameters, Ranking ranking)
{
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
    public double? Keep(IReadOnlyCollection<Parameter> tensors, long kept)
    {
        if (kept >= Live(tensors)) return null;
        int[] indices = Indices(tensors);
        return parameters.Prune(indices, kept, new long[indices.Length], ranking).Value;
    }

    /// <summary>The masks that <see cref="Keep"/> would leave; nothing is changed.</summary>
    public IEnumerable<(Parameter Tensor, Mask Mask)> Choose(IReadOnlyCollection<Parameter> tensors, long kept)
    {
        Threshold? cut = kept >= Live(tensors) ? null : parameters.FindThreshold(Indices(tensors), kept, ranking);
        long equal = cut?.KeepEqual ?? 0;
        foreach (Parameter p in tensors.OrderBy(p => p.Index))
        {
            Mask mask = parameters.GetMask(p.Index) ?? new Mask(p.Elements);
            if (cut is { } at)
            {
                var numbers = new float[p.Elements];
                parameters.Download(p.Index, ranking.Slot(), numbers);
                for (int i = 0; i < numbers.Length; i++)
                {
                    if (!mask[i]) continue;
                    float rank = ranking.IsSigned() ? numbers[i] : MathF.Abs(numbers[i]);
                    mask[i] = rank > at.Value || (rank == at.Value && equal-- > 0);
                }
            }
            yield return (p, mask);
        }
    }

    private static int[] Indices(IEnumerable<Parameter> tensors) => [.. tensors.Select(p => p.Index)];
}
