using Asni.Tensors;

namespace Asni.Data;

/// <summary>The first images of a dataset, for quick tries.</summary>
internal sealed class FirstImages : Dataset
{
    private readonly Dataset _all;

    /// <param name="count">At least 1; more than there are gives all.</param>
    public FirstImages(Dataset all, int count)
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(count, 1);
        _all = all;
        Count = Math.Min(count, all.Count);
    }

    public override string Name => _all.Name;
    public override int Count { get; }
    public override int Classes => _all.Classes;
    public override Chw Shape => _all.Shape;
    public override Normalization Normalization => _all.Normalization;
    public override ReadOnlyMemory<byte> Pixels => _all.Pixels.IsEmpty ? default : _all.Pixels[..checked(Count * Shape.Elements)];
    public override int GetLabel(int index) => _all.GetLabel(index);
    public override string GetClassName(int label) => _all.GetClassName(label);
    public override void Read(int index, Span<byte> chw) => _all.Read(index, chw);
    public override bool HasRandomCrops => _all.HasRandomCrops;

    public override string? ComputeFilesSha256() => _all.ComputeFilesSha256();

    internal override void AddContent(ContentHash hash)
    {
        if (Pixels.IsEmpty) _all.AddContent(hash);
        else base.AddContent(hash);
    }

    public override void ReadRandomCrop(int index, ulong random, Span<byte> chw) => _all.ReadRandomCrop(index, random, chw);
}
