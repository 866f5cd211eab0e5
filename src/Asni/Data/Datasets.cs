using System.Collections.Immutable;
using Asni.Data.Images;
using Asni.Data.Synthetic;
using Asni.Tensors;

namespace Asni.Data;

/// <summary>How many synthetic images to make, how large, and from which seed.</summary>
public sealed record SyntheticOptions
{
    /// <summary>Training images; by default 60,000 digits or 50,000 shapes.</summary>
    public int? TrainCount { get; init; }

    public int TestCount { get; init; } = 10_000;

    /// <summary>Of `shapes` in pixels; `digits` are always 28x28.</summary>
    public int Height { get; init; } = 32;

    /// <inheritdoc cref="Height"/>
    public int Width { get; init; } = 32;

    public ulong Seed { get; init; } = 1;

    /// <summary>Threads that draw; the images do not depend on it.</summary>
    public int Threads { get; init; } = Environment.ProcessorCount;
}

/// <summary>A named dataset and where it is: a folder, null when not found; synthetic ones need none.</summary>
internal sealed record DatasetStatus(string Name, string Description, bool Synthetic, string? Folder);

/// <summary>Opens datasets by name.</summary>
public static class Datasets
{
    /// <summary>Every name that <see cref="Open"/> knows.</summary>
    public static ImmutableArray<string> Names => KnownDatasets.Names;

    /// <summary>Whether this is a dataset of image files of any size, which are brought to the size asked for.</summary>
    internal static bool IsOfAnySize(string name) => name is ImageFolders.ImageNet or ImageFolders.Any;

    /// <summary>How a dataset's images are normalized, and what its classes are called: empty where they are numbers, or as its folders are called.</summary>
    /// <exception cref="UsageException">No dataset has this name.</exception>
    public static ImageDescription Describe(string name)
    {
        string proper = KnownDatasets.Resolve(name);
        if (KnownDatasets.File(proper) is { } dataset) return new ImageDescription(dataset.Normalization, dataset.ClassNames, UsesWholeImage: !IsOfAnySize(proper));
        return proper == Digits.Name ? new ImageDescription(Digits.Normalization, [], UsesWholeImage: true) : new ImageDescription(ShapesDataset.NormalizationOfAll, ShapeField.Names, UsesWholeImage: true);
    }

    /// <summary>Who gives a dataset of files, as a clause; null for those that can be downloaded or are synthetic, and for the caller's own.</summary>
    /// <exception cref="UsageException">No dataset has this name.</exception>
    internal static string? Source(string name) => KnownDatasets.File(KnownDatasets.Resolve(name))?.Source;

    /// <summary>Opens a dataset by name.</summary>
    /// <param name="size">Height and width that image files of any size are brought to; 224x224 when absent.</param>
    /// <exception cref="UsageException">No dataset has this name, or a size is out of range.</exception>
    /// <exception cref="DatasetNotFoundException">It was not found.</exception>
    /// <exception cref="AsniException">Its files are damaged.</exception>
    public static DatasetSplit Open(string name, DatasetLocator locator, SyntheticOptions? synthetic = null, (int Height, int Width)? size = null)
    {
        string proper = KnownDatasets.Resolve(name);
        if (KnownDatasets.File(proper) is not { } dataset) return CreateSynthetic(proper, synthetic ?? new SyntheticOptions());
        return OpenFiles(dataset, locator.Find(dataset) ?? throw locator.NotFound(dataset), size);
    }

    /// <summary>
    /// Opens a dataset that was not asked for by name: where it is not found, a synthetic one of the same image shape stands in for it,
    /// and <see cref="DatasetSplit.Source"/> says so. A named folder that lacks it is still an error.
    /// </summary>
    /// <inheritdoc cref="Open" path="/exception"/>
    public static DatasetSplit OpenDefault(string name, DatasetLocator locator, SyntheticOptions? synthetic = null)
    {
        string proper = KnownDatasets.Resolve(name);
        if (KnownDatasets.File(proper) is not { } dataset) return Open(proper, locator, synthetic);
        if (locator.Find(dataset) is { } folder) return OpenFiles(dataset, folder, null);
        if (locator.HasNamedFolder) throw locator.NotFound(dataset);
        DatasetSplit split = CreateSynthetic(dataset.Substitute, synthetic ?? new SyntheticOptions());
        return split with { Source = $"{split.Source}; {dataset.Name} was not found" };
    }

    /// <summary>Every dataset and where it was found.</summary>
    internal static ImmutableArray<DatasetStatus> List(DatasetLocator locator) =>
    [
        .. KnownDatasets.FromFiles.Select(f => new DatasetStatus(f.Name, f.Description, false, locator.Find(f))),
        .. KnownDatasets.Synthetic.Select(p => new DatasetStatus(p.Name, p.Description, true, null)),
    ];

    private static DatasetSplit OpenFiles(FileDataset dataset, string folder, (int Height, int Width)? size)
    {
        (int height, int width) = IsOfAnySize(dataset.Name) && size is { } wanted ? wanted : (224, 224);
        Require(dataset.Name, height, 1, 4096, "pixels of height");
        Require(dataset.Name, width, 1, 4096, "pixels of width");
        (Dataset train, Dataset test) = dataset.Open(folder, height, width);
        string source = $"{dataset.Name}: {train.Count:N0} training and {test.Count:N0} test images from {folder}";
        foreach ((string half, Dataset data) in (ReadOnlySpan<(string, Dataset)>)[("training", train), ("test", test)])
            if (data.PassedOver.Length > 0) source += $"; not read in the {half} images: {data.PassedOver} (JPEG, PNG, BMP and WebP are)";
        return new DatasetSplit(train, test, source);
    }

    private static DatasetSplit CreateSynthetic(string name, SyntheticOptions options)
    {
        int trainCount = options.TrainCount ?? (name == Digits.Name ? 60_000 : 50_000);
        int max = name == Digits.Name ? Digits.MaxCount : int.MaxValue;
        Require(name, trainCount, 1, max, "training images");
        Require(name, options.TestCount, 1, max, "test images");
        Require(name, options.Height, 8, 4096, "pixels of height");
        Require(name, options.Width, 8, 4096, "pixels of width");

        // The two halves never share a stream.
        Dataset train = CreateSynthetic(name, trainCount, SplitMix64.Fork(options.Seed, 1).State, options);
        Dataset test = CreateSynthetic(name, options.TestCount, SplitMix64.Fork(options.Seed, 2).State, options);
        return new DatasetSplit(train, test,
            $"{name}: {train.Count:N0} training and {test.Count:N0} test images of {train.Shape}, generated from seed {options.Seed}");
    }

    private static Dataset CreateSynthetic(string name, int count, ulong stream, SyntheticOptions options) => name == Digits.Name
        ? Digits.Draw(count, stream, options.Threads)
        : new ShapesDataset(count, options.Height, options.Width, stream);

    private static void Require(string name, int value, int low, int high, string what)
    {
        if (value < low || value > high) throw new UsageException($"{name} has {low:N0} to {high:N0} {what}, not {value:N0}.");
    }
}
