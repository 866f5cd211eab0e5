using System.Collections.Immutable;

namespace Asni.Data.Download;

/// <summary>One file to fetch: the same bytes from any of its addresses, told by their SHA-256.</summary>
/// <param name="Name">File name it is stored under.</param>
/// <param name="Bytes">Size of the file as served (compressed).</param>
/// <param name="Sha256">Its lower-case hexadecimal digest.</param>
/// <param name="Addresses">Mirrors, best first; plain http is as good as https, because of the digest.</param>
internal sealed record RemoteFile(string Name, long Bytes, string Sha256, ImmutableArray<Uri> Addresses);

/// <summary>The files of a dataset; an archive is unpacked into a folder and not kept.</summary>
/// <param name="Dataset">Its name.</param>
/// <param name="Files">All of them.</param>
/// <param name="Unpacked">For a tar.gz, the folder and the files taken from it; null when the files are used as they are.</param>
internal sealed record DownloadSource(
    string Dataset, ImmutableArray<RemoteFile> Files, (string Folder, ImmutableArray<string> Files)? Unpacked);

/// <summary>Where the public datasets are served, and the digests of their files.</summary>
internal static class DownloadSources
{
    private static readonly string[] MnistMirrors =
        ["https://ossci-datasets.s3.amazonaws.com/mnist/", "https://storage.googleapis.com/cvdf-datasets/mnist/"];

    private static readonly string[] FashionMirrors =
    [
        "https://fashion-mnist.s3.eu-central-1.amazonaws.com/", "http://fashion-mnist.s3-website.eu-central-1.amazonaws.com/",
        "https://raw.githubusercontent.com/zalandoresearch/fashion-mnist/master/data/fashion/",
    ];

    private static readonly ImmutableArray<DownloadSource> All =
    [
        new("mnist",
        [
            At(MnistMirrors, "train-images-idx3-ubyte.gz", 9_912_422, "440fcabf73cc546fa21475e81ea370265605f56be210a4024d2ca8f203523609"),
            At(MnistMirrors, "train-labels-idx1-ubyte.gz", 28_881, "3552534a0a558bbed6aed32b30c495cca23d567ec52cac8be1a0730e8010255c"),
            At(MnistMirrors, "t10k-images-idx3-ubyte.gz", 1_648_877, "8d422c7b0a1c1c79245a5bcf07fe86e33eeafee792b84584aec276f5a2dbc4e6"),
            At(MnistMirrors, "t10k-labels-idx1-ubyte.gz", 4_542, "f7ae60f92e00ec6debd23a6088c31dbd2371eca3ffa0defaefb259924204aec6"),
        ], null),
        new("fashion-mnist",
        [
            At(FashionMirrors, "train-images-idx3-ubyte.gz", 26_421_880, "3aede38d61863908ad78613f6a32ed271626dd12800ba2636569512369268a84"),
            At(FashionMirrors, "train-labels-idx1-ubyte.gz", 29_515, "a04f17134ac03560a47e3764e11b92fc97de4d1bfaf8ba1a3aa29af54cc90845"),
            At(FashionMirrors, "t10k-images-idx3-ubyte.gz", 4_422_102, "346e55b948d973a97e58d2351dde16a484bd415d4595297633bb08f03db6a073"),
            At(FashionMirrors, "t10k-labels-idx1-ubyte.gz", 5_148, "67da17c76eaffca5446c3361aaab5c3cd6d1c2608764d35dfb1850b086bf8dd5"),
        ], null),
        Cifar(CifarFiles.Cifar10, "cifar-10-binary.tar.gz", 170_052_171, "c4a38c50a1bc5f3a1c5537f2155ab9d68f9f25eb1ed8d9ddda3db29a59bca1dd"),
        Cifar(CifarFiles.Cifar100, "cifar-100-binary.tar.gz", 168_513_733, "58a81ae192c23a4be8b1804d68e518ed807d710a4eb253b1f2a199162a40d8ec"),
    ];

    /// <summary>The datasets that can be downloaded.</summary>
    public static ImmutableArray<string> Names { get; } = [.. All.Select(s => s.Dataset)];

    /// <exception cref="DownloadUnavailableException">It is not to be fetched.</exception>
    /// <exception cref="UsageException">No such dataset.</exception>
    public static DownloadSource For(string name)
    {
        string proper = KnownDatasets.Resolve(name);
        if (All.FirstOrDefault(s => s.Dataset == proper) is { } source) return source;
        if (KnownDatasets.File(proper) is not { } files)
            throw new DownloadUnavailableException(proper, isSynthetic: true, $"'{proper}' is synthetic and needs no download.");
        string from = files.Source is { } clause ? $": {clause}" : "";
        throw new DownloadUnavailableException(proper, isSynthetic: false, $"'{proper}' cannot be downloaded{from}; its folder has {files.Expected}.");
    }

    private static RemoteFile At(string[] mirrors, string name, long bytes, string sha256) =>
        new(name, bytes, sha256, [.. mirrors.Select(m => new Uri(m + name))]);

    private static DownloadSource Cifar(CifarFiles files, string archive, long bytes, string sha256) => new(
        files.Name, [At(["https://www.cs.toronto.edu/~kriz/"], archive, bytes, sha256)], (files.Folder, [.. files.TrainFiles, files.TestFile]));
}
