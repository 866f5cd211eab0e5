using System.Collections.Immutable;
using Asni.Tensors;

namespace Asni.Networks;

/// <summary>
/// A network with its tensors on the host: what training starts from and delivers, what methods prune, and what files store. Values in PyTorch's order, by
/// <see cref="Parameter.Index"/>, and masks (null: all live).
/// </summary>
public sealed record TrainedNetwork(Network Network, ImmutableArray<float[]> Values, ImmutableArray<Mask?> Masks)
{
    /// <summary>Live elements among the prunable weights.</summary>
    public long Kept => Network.Weights.Sum(Live);

    public long Live(Parameter parameter) => Masks[parameter.Index]?.Live ?? parameter.Elements;

    /// <summary>True when an element of a parameter is pruned.</summary>
    internal bool IsPruned => Masks.Any(m => m is not null && m.Live < m.Length);

    /// <summary>SHA-256 of names, shapes, values and masks, in lower-case hexadecimal.</summary>
    public string ComputeSha256()
    {
        using var hash = new ContentHash();
        foreach (Parameter p in Network.Parameters)
        {
            hash.Add(p.Name);
            hash.Add($"{p.Shape}");
            hash.Add<float>(Values[p.Index]);
            hash.Add(Masks[p.Index] is { } mask ? mask.Words : []);
        }
        return hash.Finish();
    }

    /// <summary>The first parameter with a value that is NaN or infinite; null when all are finite.</summary>
    internal Parameter? FirstNotFinite()
    {
        foreach (Parameter p in Network.Parameters)
        {
            foreach (float value in Values[p.Index])
                if (!float.IsFinite(value)) return p;
        }
        return null;
    }

    /// <exception cref="DivergenceException">A value is NaN or infinite.</exception>
    internal TrainedNetwork RequireFinite(string phase) => FirstNotFinite() is not { } p ? this
        : throw new DivergenceException($"{p.Name} became NaN or infinite in {phase}; lower the learning rate.");
}
