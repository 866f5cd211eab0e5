using System.Collections.Immutable;
using Asni.Tensors;

namespace Asni.Training.Policies;

/// <summary>The last few masks of a training, to tell when they have settled (You et al. 2020, arXiv 1909.11957).</summary>
/// <param name="length">Masks that are compared.</param>
/// <param name="distance">Below which two masks count as the same.</param>
internal sealed class MaskHistory(int length, double distance)
{
    /// <summary>The oldest first.</summary>
    public ImmutableArray<ImmutableArray<Mask?>> Masks { get; set; } = [];

    /// <summary>Takes a mask, by parameter index.</summary>
    /// <returns>It is near each of the others, and there are enough of them.</returns>
    public bool Add(ImmutableArray<Mask?> mask)
    {
        ImmutableArray<ImmutableArray<Mask?>> others = Masks.Length < length ? Masks : Masks.RemoveAt(0);
        Masks = others.Add(mask);
        return Masks.Length == length && others.All(other => Distance(mask, other) < distance);
    }

    /// <summary>Weights that live under one mask alone, by those that live under each, added up: of masks with as many live weights the share that is replaced.</summary>
    public static double Distance(ImmutableArray<Mask?> a, ImmutableArray<Mask?> b)
    {
        long differences = 0, live = 0;
        foreach ((Mask? x, Mask? y) in a.Zip(b))
        {
            if (x is null || y is null) continue;
            differences += x.CountDifferences(y);
            live += x.Live + y.Live;
        }
        return live == 0 ? 0 : (double)differences / live;
    }
}
