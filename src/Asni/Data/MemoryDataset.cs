using Asni.Tensors;

namespace Asni.Data;

/// <summary>Images held in memory, one after another in CHW order, one label byte each.</summary>
/// <param name="classNames">Of all classes; empty where they are numbers.</param>
internal sealed class MemoryDataset(
    string name, int classes, Chw shape, Normalization normalization, byte[] pixels, byte[] labels, string[] classNames) : Dataset
{
    public override string Name => name;
    public override int Count => labels.Length;
    public override int Classes => classes;
    public override Chw Shape => shape;
    public override Normalization Normalization => normalization;
    public override ReadOnlyMemory<byte> Pixels => pixels;
    public override int GetLabel(int index) => labels[index];
    public override string GetClassName(int label) => classNames.Length > 0 ? classNames[label] : base.GetClassName(label);

    public override void Read(int index, Span<byte> chw)
    {
        int size = shape.Elements;
        pixels.AsSpan(checked(index * size), size).CopyTo(chw);
    }
}
