using Asni.Data;
using Asni.Tensors;

namespace Asni.Pruning;

/// <summary>Images of a training set that weights are scored by, without augmentation.</summary>
/// <param name="Indices">Of the images.</param>
internal sealed record ScoringImages(Dataset Data, int[] Indices)
{
    /// <summary>Of random numbers.</summary>
    private const ulong Purpose = 10;

    /// <summary>So many images, at random; all when there are fewer.</summary>
    public static ScoringImages Draw(Dataset data, int count, ulong seed) => new(data, Shuffled(data, seed)[..Math.Min(count, data.Count)]);

    /// <summary>So many images, at random; where there are fewer, all of them again in another order, as often as it takes.</summary>
    public static ScoringImages DrawRepeatedly(Dataset data, int count, ulong seed)
    {
        var indices = new List<int>(count);
        for (ulong pass = 0; indices.Count < count; pass++) indices.AddRange(Shuffled(data, seed, pass).Take(count - indices.Count));
        return new ScoringImages(data, [.. indices]);
    }

    /// <summary>So many images of each class, at random; all of a class that has fewer.</summary>
    public static ScoringImages DrawPerClass(Dataset data, int perClass, ulong seed)
    {
        var taken = new int[data.Classes];
        return new ScoringImages(data, [.. Shuffled(data, seed).Where(i => taken[data.GetLabel(i)]++ < perClass)]);
    }

    /// <summary>Fills a batch with as many of them as it holds.</summary>
    /// <param name="first">Of the images.</param>
    public void Fill(Batch batch, int first)
    {
        batch.Count = Math.Min(batch.Capacity, Indices.Length - first);
        int size = Data.Shape.Elements;
        for (int i = 0; i < batch.Count; i++)
        {
            Data.Read(Indices[first + i], batch.Pixels.AsSpan(i * size, size));
            batch.Labels[i] = Data.GetLabel(Indices[first + i]);
        }
    }

    private static int[] Shuffled(Dataset data, ulong seed, ulong pass = 0)
    {
        int[] order = [.. Enumerable.Range(0, data.Count)];
        (pass == 0 ? SplitMix64.Fork(seed, Purpose) : SplitMix64.Fork(seed, Purpose, pass)).Shuffle(order.AsSpan());
        return order;
    }
}
