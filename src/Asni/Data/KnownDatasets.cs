using System.Collections.Immutable;
using Asni.Data.Images;
using Asni.Data.Synthetic;

namespace Asni.Data;

/// <summary>A dataset that comes as files: how its folder is told, how it is read, and what stands in for it.</summary>
/// <param name="Name">That it is opened by.</param>
/// <param name="Description">One line for people.</param>
/// <param name="Folders">Where, below a data folder, its files may lie; "" is the folder itself.</param>
/// <param name="IsIn">True when a folder looks like holding the dataset.</param>
/// <param name="Expected">What a folder with it has, for messages.</param>
/// <param name="Open">Reads both halves from a folder; images that have no size of their own are brought to this height and width.</param>
/// <param name="Substitute">The synthetic dataset of as many channels.</param>
/// <param name="Source">Who gives it, as a clause; null where it can be downloaded, and for the caller's own.</param>
internal sealed record FileDataset(
    string Name, string Description, ImmutableArray<string> Folders, Func<string, bool> IsIn, string Expected,
    Func<string, int, int, (Dataset Train, Dataset Test)> Open, string Substitute, string? Source = null)
{
    /// <summary>Whether another dataset has files of the same names, so that a folder called after that one does not hold this one.</summary>
    public bool SharesNames { get; init; }

    /// <summary>Of its training set.</summary>
    public required Normalization Normalization { get; init; }

    /// <summary>Empty where they are numbers, or what folders are called.</summary>
    public ImmutableArray<string> ClassNames { get; init; } = [];
}

/// <summary>The datasets that have a name.</summary>
internal static class KnownDatasets
{
    private const string ImageLayout = "the folders 'train' and 'val' with a folder of images for each class";

    /// <summary>Where Kaggle's archive has the images.</summary>
    private static readonly string s_kaggle = Path.Combine("ILSVRC", "Data", "CLS-LOC");

    private static readonly FileDataset[] Files =
    [
        Idx("mnist", "handwritten digits, 28x28 grey, 60,000 + 10,000", "MNIST", new Normalization([0.1307f], [0.3081f])),
        Idx("fashion-mnist", "clothes, 28x28 grey, 60,000 + 10,000", "FashionMNIST", new Normalization([0.2860f], [0.3530f]),
            "T-shirt/top", "Trouser", "Pullover", "Dress", "Coat", "Sandal", "Shirt", "Sneaker", "Bag", "Ankle boot"),
        Emnist(),
        Cifar(CifarFiles.Cifar10, "objects of 10 classes, 32x32 RGB, 50,000 + 10,000"),
        Cifar(CifarFiles.Cifar100, "objects of 100 classes, 32x32 RGB, 50,000 + 10,000"),
        new(ImageFolders.ImageNet, "photographs of 1,000 classes, RGB of any size, 1,281,167 + 50,000",
            ["imagenet", "ILSVRC2012", Path.Combine("imagenet", s_kaggle), s_kaggle, ""], ImageFolders.IsImageNetIn, ImageLayout,
            (folder, height, width) => ImageFolders.Open(ImageFolders.ImageNet, folder, height, width), ShapesDataset.DatasetName,
            "https://image-net.org gives it to those who register") { Normalization = ImageFolders.Normalization },
        new(ImageFolders.Any, "your own: train/CLASS/*.jpg and val/CLASS/*.jpg, RGB of any size",
            ["images", ""], ImageFolders.IsIn, ImageLayout,
            (folder, height, width) => ImageFolders.Open(ImageFolders.Any, folder, height, width), ShapesDataset.DatasetName)
        { Normalization = ImageFolders.Normalization },
    ];

    public static ImmutableArray<FileDataset> FromFiles { get; } = [.. Files];

    /// <summary>Those that are generated rather than read: name and one line for people.</summary>
    public static ImmutableArray<(string Name, string Description)> Synthetic { get; } =
    [
        (Digits.Name, "synthetic digits, 28x28 grey, any number"),
        (ShapesDataset.DatasetName, "synthetic textured shapes of 10 classes, RGB, any size and number"),
    ];

    public static ImmutableArray<string> Names { get; } = [.. Files.Select(f => f.Name), .. Synthetic.Select(p => p.Name)];

    /// <summary>The dataset of this proper name, or null when it is generated rather than read.</summary>
    public static FileDataset? File(string proper) => FromFiles.FirstOrDefault(f => f.Name == proper);

    /// <summary>The dataset's proper name; case, hyphens and underscores do not matter ("CIFAR-10", "fashion_mnist").</summary>
    /// <exception cref="UsageException">No such dataset; the message suggests the nearest.</exception>
    public static string Resolve(string name)
    {
        string wanted = Suggestion.Plain(name);
        return Names.FirstOrDefault(n => Suggestion.Plain(n) == wanted)
            ?? throw new UsageException($"Unknown dataset '{name}'{Suggestion.For(name, Names)}; known are {string.Join(", ", Names)}.");
    }

    /// <param name="name">That it is opened by.</param>
    /// <param name="description">One line for people.</param>
    /// <param name="torchvision">The folder that torchvision downloads it to, with a folder raw inside.</param>
    /// <param name="normalization">Of its training set.</param>
    /// <param name="classNames">None where they are numbers.</param>
    private static FileDataset Idx(string name, string description, string torchvision, Normalization normalization, params string[] classNames) => new(
        name, description, [name, Path.Combine(torchvision, "raw"), ""], folder => MnistFiles.Find(folder, "train", "images") != null,
        "the file 'train-images-idx3-ubyte'", (folder, _, _) => MnistFiles.Open(name, folder, normalization, classNames), Digits.Name)
    {
        SharesNames = true,
        Normalization = normalization,
        ClassNames = [.. classNames],
    };

    /// <summary>The letters of EMNIST (Cohen et al., 2017), capital and small ones in one class; the files' labels are 1 to 26.</summary>
    private static FileDataset Emnist()
    {
        const string name = "emnist-letters", start = "emnist-letters-train";
        var layout = new IdxLayout(start, "emnist-letters-test", Classes: 26, FirstLabel: 1);
        var normalization = new Normalization([0.1722f], [0.3309f]);
        string[] letters = [.. Enumerable.Range('A', layout.Classes).Select(c => $"{(char)c}")];
        return new(name, "handwritten letters, 28x28 grey, 124,800 + 20,800", [name, Path.Combine("EMNIST", "raw"), "EMNIST", "gzip", ""],
            folder => MnistFiles.Find(folder, start, "images") != null, $"the file '{start}-images-idx3-ubyte'",
            (folder, _, _) => MnistFiles.Open(name, folder, layout, normalization, letters), Digits.Name,
            "https://www.nist.gov/itl/products-and-services/emnist-dataset has it as gzip.zip to unpack")
        {
            Normalization = normalization,
            ClassNames = [.. letters],
        };
    }

    private static FileDataset Cifar(CifarFiles files, string description) => new(
        files.Name, description,
        [
            .. new[] { files.Folder, files.PythonFolder }.Select(f => Path.Combine(files.Name, f)), files.Name, files.Folder, files.PythonFolder, "",
        ],
        files.IsIn, $"the file '{files.TrainFiles[0]}' of the binary version or '{CifarFiles.PythonName(files.TrainFiles[0])}' of the Python version",
        (folder, _, _) => files.Open(folder), ShapesDataset.DatasetName)
    {
        Normalization = files.Normalization,
        ClassNames = [.. files.ClassNames],
    };
}
