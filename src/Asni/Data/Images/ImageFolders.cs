using System.Collections.Immutable;

namespace Asni.Data.Images;

/// <summary>
/// Datasets that are folders of images: train/CLASS/... and val/CLASS/... (or test/CLASS/...). The validation images of ImageNet as Kaggle has it, and of Tiny ImageNet,
/// lie in one folder, with their classes in a file.
/// </summary>
internal static class ImageFolders
{
    public const string ImageNet = "imagenet", Any = "images";

    /// <summary>ImageNet's, as networks that were trained on it expect (torchvision).</summary>
    public static readonly Normalization Normalization = new([0.485f, 0.456f, 0.406f], [0.229f, 0.224f, 0.225f]);

    private const string Train = "train", KaggleLabels = "LOC_val_solution.csv", TinyLabels = "val_annotations.txt";

    private static readonly string[] s_testFolders = ["val", "test"];

    /// <summary>How many folders up from the images Kaggle's file of classes may be.</summary>
    private const int KaggleLevels = 3;

    /// <summary>Whether a folder has training images in folders of classes.</summary>
    public static bool IsIn(string folder) => !ImageList.ClassesIn(Path.Combine(folder, Train)).IsEmpty && TestFolder(folder) is not null;

    /// <summary>The same, with classes that are called as ImageNet's are: n and eight digits.</summary>
    public static bool IsImageNetIn(string folder) => IsIn(folder) && ImageList.ClassesIn(Path.Combine(folder, Train)).All(
        name => name.Length == 9 && name[0] == 'n' && name.AsSpan(1).IndexOfAnyExceptInRange('0', '9') < 0);

    /// <param name="height">Of the images that a network reads, in pixels.</param>
    /// <param name="width">The same.</param>
    public static (Dataset Train, Dataset Test) Open(string name, string folder, int height, int width)
    {
        try
        {
            string train = Path.Combine(folder, Train), test = TestFolder(folder)!;
            ImmutableArray<string> classes = ImageList.ClassesIn(train);
            return (new ImageFolderDataset(name, ImageList.OfFolders(train, classes, needsAll: true), height, width),
                new ImageFolderDataset(name, TestList(folder, test, classes), height, width));
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            throw new AsniException($"The images in '{folder}' cannot be listed: {e.Message}", e);
        }
    }

    private static ImageList TestList(string folder, string test, ImmutableArray<string> classes)
    {
        if (Path.Combine(test, TinyLabels) is var tiny && File.Exists(tiny)) return ImageList.OfLabelFile(test, classes, tiny, '\t');
        if (!ImageList.ClassesIn(test).IsEmpty) return ImageList.OfFolders(test, classes, needsAll: false);
        string? above = folder;
        for (int i = 0; i <= KaggleLevels && above is not null; i++, above = Path.GetDirectoryName(above))
            if (Path.Combine(above, KaggleLabels) is var kaggle && File.Exists(kaggle)) return ImageList.OfLabelFile(test, classes, kaggle, ',');
        throw new AsniException($"There are no classes in '{test}': expected a folder of images for each, or images and {KaggleLabels} beside them.");
    }

    /// <summary>The first that is there, but for empty ones before others.</summary>
    private static string? TestFolder(string folder)
    {
        string[] there = [.. s_testFolders.Select(t => Path.Combine(folder, t)).Where(Directory.Exists)];
        return there.FirstOrDefault(t => Directory.EnumerateFileSystemEntries(t, "*", ImageList.Readable).Any()) ?? there.FirstOrDefault();
    }
}
