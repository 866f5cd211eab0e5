using Asni.Tensors;

namespace Asni.Data.Synthetic;

/// <summary>
/// The synthetic dataset `shapes`: RGB images of any size, ten classes of textured shapes, computed when read, so that any number of
/// them takes no memory. Image i depends on (stream, i, size) only.
/// </summary>
internal sealed class ShapesDataset(int count, int height, int width, ulong stream) : Dataset
{
    public const string DatasetName = "shapes";

    /// <summary>Measured over 20,000 training images of 32x32, seed 1.</summary>
    internal static readonly Normalization NormalizationOfAll = new([0.5f, 0.5f, 0.5f], [0.26f, 0.26f, 0.26f]);

    [ThreadStatic]
    private static ShapePainter? _painter;

    public override string Name => DatasetName;
    public override int Count => count;
    public override int Classes => ShapeField.Names.Length;
    public override Chw Shape => new(3, height, width);
    public override Normalization Normalization => NormalizationOfAll;

    public override int GetLabel(int index) => index % Classes;
    public override string GetClassName(int label) => ShapeField.Names[label];

    public override void Read(int index, Span<byte> chw)
    {
        ArgumentOutOfRangeException.ThrowIfGreaterThanOrEqual((uint)index, (uint)count, nameof(index));
        (_painter ??= new ShapePainter()).Paint(GetLabel(index), SampleStream.At(stream, index), height, width, chw);
    }
}
