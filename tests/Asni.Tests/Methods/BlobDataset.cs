using Asni.Data;
using Asni.Tensors;

namespace Asni.Tests.Methods;

/// <summary>Noisy images around one random pattern a class: learnable in a few steps, made from a seed.</summary>
internal sealed class BlobDataset(int count, Chw shape, int classes, ulong seed) : Dataset
{
    public override string Name => "blobs";
    public override int Count => count;
    public override int Classes => classes;
    public override Chw Shape => shape;
    public override Normalization Normalization { get; } =
        new([.. Enumerable.Repeat(0.5f, shape.Channels)], [.. Enumerable.Repeat(0.25f, shape.Channels)]);

    public static DatasetSplit Split(int count, Chw shape, int classes) =>
        new(new BlobDataset(count, shape, classes, 1), new BlobDataset(count / 2, shape, classes, 2), "blobs made for tests");

    public override int GetLabel(int index) => (int)(SplitMix64.Fork(seed, (ulong)index).NextUInt64() % (ulong)classes);

    public override void Read(int index, Span<byte> chw)
    {
        var noise = SplitMix64.Fork(seed, (ulong)index, 1);
        var pattern = SplitMix64.Fork(77, (ulong)GetLabel(index));
        for (int i = 0; i < chw.Length; i++)
            chw[i] = (byte)Math.Clamp(128 + 50 * (pattern.NextSingle() - 0.5) + 30 * noise.NextNormal(), 0, 255);
    }
}
