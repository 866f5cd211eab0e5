using Asni.Devices;
using Asni.Networks;

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

    private static int[] Indices(IEnumerable<Parameter> tensors) => [.. tensors.Select(p => p.Index)];
}
