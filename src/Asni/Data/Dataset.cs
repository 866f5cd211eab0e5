using Asni.Tensors;

namespace Asni.Data;

/// <summary>Per-channel mean and standard deviation of pixels scaled to 0..1.</summary>
public sealed record Normalization(float[] Mean, float[] Std)
{
    /// <summary>(p / 255 - mean[c]) / std[c] of every pixel value, 256 a channel.</summary>
    internal void FillTable(Span<float> table)
    {
        for (int i = 0; i < table.Length; i++) table[i] = (float)((i % 256 / 255.0 - Mean[i / 256]) / Std[i / 256]);
    }

    /// <summary>(p / 255 - mean[c]) / std[c] of one image: what a network reads.</summary>
    /// <param name="chw">8-bit pixels (C, H, W).</param>
    /// <param name="to">As many floats.</param>
    /// <exception cref="ArgumentException">Lengths that do not fit each other or the channels.</exception>
    public void Apply(ReadOnlySpan<byte> chw, Span<float> to)
    {
        if (chw.Length != to.Length || chw.Length % Mean.Length != 0)
            throw new ArgumentException($"{chw.Length} pixels of {Mean.Length} channels do not go into {to.Length} floats", nameof(to));
        int plane = chw.Length / Mean.Length;
        for (int i = 0; i < chw.Length; i++) to[i] = (float)((chw[i] / 255.0 - Mean[i / plane]) / Std[i / plane]);
    }
}

/// <summary>Labelled 8-bit images of one shape, readable from several threads at once.</summary>
public abstract class Dataset
{
    /// <summary>The name that it is opened by: "mnist", "cifar10", "digits", ...</summary>
    public abstract string Name { get; }
    public abstract int Count { get; }
    public abstract int Classes { get; }
    public abstract Chw Shape { get; }
    public abstract Normalization Normalization { get; }
    public abstract int GetLabel(int index);

    /// <summary>What a class is called: its number where it has no name.</summary>
    public virtual string GetClassName(int label) => label.ToString(System.Globalization.CultureInfo.InvariantCulture);

    /// <summary>All images one after another in CHW order, when they are held so; else empty.</summary>
    public virtual ReadOnlyMemory<byte> Pixels => default;

    /// <summary>Writes image <paramref name="index"/> in CHW order.</summary>
    public abstract void Read(int index, Span<byte> chw);

    /// <summary>Files beside the images that are images and are not read, by extension; empty where there are none.</summary>
    internal virtual string PassedOver => "";

    /// <summary>
    /// SHA-256, in lower-case hexadecimal, by which a run that goes on knows its data: of all pixels and labels of images that are held in memory, of less of those that
    /// would have to be read (<see cref="AddContent"/>).
    /// </summary>
    public string ComputeSha256()
    {
        using var hash = new ContentHash();
        hash.Add(Name);
        hash.Add($"{Shape} {Classes}");
        hash.Add<float>(Normalization.Mean);
        hash.Add<float>(Normalization.Std);
        hash.Add(Count);
        AddContent(hash);
        return hash.Finish();
    }

    /// <summary>
    /// SHA-256 of what files of images hold, or of a sample of them; null for images in memory. A user may mend a file that cannot be decoded: another
    /// value is worth telling and no reason to stop.
    /// </summary>
    /// <exception cref="AsniException">A file cannot be read.</exception>
    public virtual string? ComputeFilesSha256() => null;

    /// <summary>
    /// Adds what tells these images from others, in no more than about a second: of images that are not in memory nothing, as long as it is not overridden.
    /// </summary>
    internal virtual void AddContent(ContentHash hash)
    {
        if (Pixels.IsEmpty) return;
        hash.Add(Pixels.Span);
        for (int i = 0; i < Count; i++) hash.Add(GetLabel(i));
    }

    /// <summary>
    /// Whether images have sizes of their own, and take time to read. Training then sees a random part of each, brought to <see cref="Shape"/>, where it would move
    /// images of that size.
    /// </summary>
    public virtual bool HasRandomCrops => false;

    /// <summary>Writes a random part of an image, where there are parts.</summary>
    /// <param name="random">Chooses it.</param>
    public virtual void ReadRandomCrop(int index, ulong random, Span<byte> chw) => Read(index, chw);
}

/// <summary>The two halves of a dataset, and a line that says where they came from.</summary>
public sealed record DatasetSplit(Dataset Train, Dataset Test, string Source);

/// <summary>Random changes to training images.</summary>
/// <param name="CropPadding">
/// Pads with 0 by this many pixels on each side and crops back at a random place; 0 for none. Of images that have parts (<see cref="Dataset.HasRandomCrops"/>) a random
/// part is taken instead, whatever the number, unless nothing at all is to be changed.
/// </param>
/// <param name="Flip">Mirrors left-right with probability 1/2.</param>
public readonly record struct Augmentation(int CropPadding, bool Flip)
{
    public static Augmentation None => default;
}

/// <summary>A reusable batch: 8-bit pixels (Count, C, H, W) and labels. Only the first <see cref="Count"/> samples are valid.</summary>
internal sealed class Batch(int capacity, Chw shape)
{
    public int Count { get; set; }
    public int Capacity { get; } = capacity;
    public byte[] Pixels { get; } = new byte[(long)capacity * shape.Elements];
    public int[] Labels { get; } = new int[capacity];
}
