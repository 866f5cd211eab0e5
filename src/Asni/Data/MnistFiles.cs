using Asni.Tensors;

namespace Asni.Data;

/// <summary>How files of MNIST's form are called and labelled.</summary>
/// <param name="Train">What the names of the training set's files begin with; <paramref name="Test"/> those of the test set.</param>
/// <param name="FirstLabel">The label of the first class in the files.</param>
internal sealed record IdxLayout(string Train, string Test, int Classes, int FirstLabel)
{
    public static readonly IdxLayout Mnist = new("train", "t10k", 10, 0);
}

/// <summary>MNIST and everything in its file layout: four IDX files in one folder, gzipped or not.</summary>
internal static class MnistFiles
{
    /// <summary>The existing file of one of the usual spellings, or null.</summary>
    public static string? Find(string folder, string split, string kind)
    {
        string rank = kind == "images" ? "idx3" : "idx1";
        foreach (string spelling in (ReadOnlySpan<string>)[$"{split}-{kind}-{rank}-ubyte", $"{split}-{kind}.{rank}-ubyte"])
            foreach (string extension in (ReadOnlySpan<string>)["", ".gz"])
                if (Path.Combine(folder, spelling + extension) is var path && File.Exists(path))
                    return path;
        return null;
    }

    /// <param name="classNames">Empty where they are numbers.</param>
    public static (Dataset Train, Dataset Test) Open(string name, string folder, Normalization normalization, params string[] classNames) =>
        Open(name, folder, IdxLayout.Mnist, normalization, classNames);

    /// <inheritdoc cref="Open(string, string, Normalization, string[])"/>
    public static (Dataset Train, Dataset Test) Open(string name, string folder, IdxLayout layout, Normalization normalization, params string[] classNames)
    {
        Dataset train = OpenSplit(name, folder, layout.Train, layout, normalization, classNames);
        Dataset test = OpenSplit(name, folder, layout.Test, layout, normalization, classNames);
        if (train.Shape != test.Shape)
            throw new AsniException(
                $"The {name} files in '{folder}' disagree: training images are {train.Shape}, test images {test.Shape}.");
        return (train, test);
    }

    private static MemoryDataset OpenSplit(string name, string folder, string split, IdxLayout layout, Normalization normalization, string[] classNames)
    {
        IdxFile images = IdxFile.Read(Require(folder, split, "images"), rank: 3);
        IdxFile labels = IdxFile.Read(Require(folder, split, "labels"), rank: 1);
        if (images.Dims[0] != labels.Dims[0])
            throw new AsniException(
                $"'{labels.Path}' does not belong to '{images.Path}': expected {images.Dims[0]} labels, found {labels.Dims[0]}.");
        int last = layout.FirstLabel + layout.Classes - 1;
        int bad = labels.Data.AsSpan().IndexOfAnyExceptInRange((byte)layout.FirstLabel, (byte)last);
        if (bad >= 0)
            throw new AsniException(
                $"'{labels.Path}' is damaged: expected labels {layout.FirstLabel} to {last}, found {labels.Data[bad]} for image {bad}.");
        foreach (ref byte label in labels.Data.AsSpan()) label -= (byte)layout.FirstLabel;
        return new MemoryDataset(name, layout.Classes, new Chw(1, images.Dims[1], images.Dims[2]), normalization, images.Data, labels.Data, classNames);
    }

    private static string Require(string folder, string split, string kind) => Find(folder, split, kind) ??
        throw new AsniException(
            $"'{folder}' lacks the file '{split}-{kind}-idx{(kind == "images" ? 3 : 1)}-ubyte' (or the same with .gz).");
}
