using Asni.Tensors;

namespace Asni.Data.Images;

/// <summary>Images in files of any size, decoded when they are read and brought to one size: their middle, or a random part for training.</summary>
internal sealed class ImageFolderDataset(string name, ImageList list, int height, int width) : Dataset
{
    public override string Name => name;
    public override int Count => list.Files.Length;
    public override int Classes => list.Classes.Length;
    public override Chw Shape => new(3, height, width);
    public override Normalization Normalization => ImageFolders.Normalization;

    public override bool HasRandomCrops => true;

    internal override string PassedOver => list.PassedOver;

    public override int GetLabel(int index) => list.Labels[index];

    public override string GetClassName(int label) => list.Classes[label];

    public override void Read(int index, Span<byte> chw)
    {
        using DecodedImage image = ImageFile.Decode(list.PathOf(index));
        image.TakeMiddle(width, height, chw);
    }

    public override void ReadRandomCrop(int index, ulong random, Span<byte> chw)
    {
        using DecodedImage image = ImageFile.Decode(list.PathOf(index));
        image.TakePart(new SplitMix64(random), width, height, chw);
    }

    /// <summary>Names and classes of all files.</summary>
    internal override void AddContent(ContentHash hash) => list.AddNames(hash);

    public override string? ComputeFilesSha256() => list.ComputeFilesSha256();
}
