using System.Collections.Immutable;
using Asni.Tensors;

namespace Asni.Data.Images;

/// <summary>
/// The image files of one half of a dataset and their classes. A class is a folder, and its images lie in it or below (torchvision's ImageFolder). Classes are in the
/// order of their names' characters, which is the order that networks trained on ImageNet have them in.
/// </summary>
/// <param name="Files">Relative to <paramref name="Root"/>, in a fixed random order: the first of them are of all classes.</param>
internal sealed record ImageList(string Root, ImmutableArray<string> Classes, string[] Files, int[] Labels)
{
    /// <summary>How many files' sizes and beginnings tell one set of images from another, and how long those are. The files are in random order.</summary>
    private const int SizesInHash = 1000, BeginningsInHash = 100, BytesOfBeginning = 1 << 16;

    private static readonly string[] s_extensions = [".jpeg", ".jpg", ".png", ".bmp", ".webp"];

    /// <summary>Images that others read and this program does not: what is passed over is said.</summary>
    private static readonly string[] s_otherExtensions =
        [".tif", ".tiff", ".ppm", ".pgm", ".pbm", ".pnm", ".gif", ".avif", ".heic", ".heif", ".jxl", ".jp2", ".jfif", ".tga", ".psd", ".hdr", ".exr"];

    /// <summary>Files by extension that are images and are not read, for example "2 .tif, 1 .gif"; empty where there are none.</summary>
    public string PassedOver { get; private init; } = "";

    public string PathOf(int index) => Path.Combine(Root, Files[index]);

    /// <summary>Passes over what is hidden or may not be read, when a folder is looked into.</summary>
    public static EnumerationOptions Readable { get; } = new();

    /// <summary>The names of the folders in a folder, in order; none when it is not there.</summary>
    public static ImmutableArray<string> ClassesIn(string root) => !Directory.Exists(root) ? []
        : [.. Directory.EnumerateDirectories(root, "*", Readable).Select(d => Path.GetFileName(d)!).Where(n => !n.StartsWith('.')).Order(StringComparer.Ordinal)];

    /// <summary>One folder a class.</summary>
    /// <param name="classes">All classes; folders of others are an error, and so is a class of training without an image.</param>
    /// <exception cref="AsniException">Nothing, or something else, is there.</exception>
    public static ImageList OfFolders(string root, ImmutableArray<string> classes, bool needsAll)
    {
        var found = new List<(string File, int Label)>();
        var others = new SortedDictionary<string, int>(StringComparer.Ordinal);
        foreach (string folder in ClassesIn(root))
        {
            int label = classes.BinarySearch(folder, StringComparer.Ordinal);
            if (label < 0) throw new AsniException($"'{root}' has a class '{folder}' that the training images lack.");
            int before = found.Count;
            found.AddRange(ImagesBelow(root, folder, others).Select(f => (f, label)));
            if (needsAll && found.Count == before) throw new AsniException($"The class '{Path.Combine(root, folder)}' has no image ({string.Join(", ", s_extensions)}).");
        }
        return Make(root, classes, found, others);
    }

    /// <summary>All images in one place, their classes in a file of lines that begin with an image's name and its class.</summary>
    /// <param name="separator">Between fields: a comma in Kaggle's, a tab in Tiny ImageNet's.</param>
    /// <exception cref="AsniException">A line is not of this form, or an image has no line.</exception>
    public static ImageList OfLabelFile(string root, ImmutableArray<string> classes, string labelFile, char separator)
    {
        var labels = new Dictionary<string, int>(StringComparer.Ordinal);
        int number = 0;
        foreach (string line in File.ReadLines(labelFile))
        {
            number++;
            if (line.Length == 0) continue;
            string[] fields = line.Split(separator, 3);
            if (fields.Length < 2) throw new AsniException($"'{labelFile}' is damaged: line {number} has no class.");
            // Kaggle's second field goes on with a box.
            string name = separator == ',' ? fields[1].Split(' ', 2)[0] : fields[1];
            int label = classes.BinarySearch(name, StringComparer.Ordinal);
            // A line of headings may come first.
            if (label < 0 && number > 1) throw new AsniException($"'{labelFile}', line {number}: there is no class '{name}' among the training images.");
            if (label >= 0) labels[Path.GetFileNameWithoutExtension(fields[0])] = label;
        }
        var found = new List<(string File, int Label)>();
        var others = new SortedDictionary<string, int>(StringComparer.Ordinal);
        foreach (string file in ImagesBelow(root, "", others))
        {
            if (!labels.TryGetValue(Path.GetFileNameWithoutExtension(file), out int label))
                throw new AsniException($"'{labelFile}' has no class for the image '{Path.Combine(root, file)}'.");
            found.Add((file, label));
        }
        return Make(root, classes, found, others);
    }

    public void AddNames(ContentHash hash)
    {
        foreach (string name in Classes) hash.Add(name);
        for (int i = 0; i < Files.Length; i++)
        {
            hash.Add(Files[i]);
            hash.Add(Labels[i]);
        }
    }

    /// <summary>SHA-256 of the sizes of some files, and of the beginnings of a few: a million photographs would take many minutes to read.</summary>
    /// <exception cref="AsniException">A file cannot be read.</exception>
    public string ComputeFilesSha256()
    {
        using var hash = new ContentHash();
        var beginning = new byte[BytesOfBeginning];
        for (int i = 0; i < Math.Min(SizesInHash, Files.Length); i++)
        {
            try
            {
                hash.Add(new FileInfo(PathOf(i)).Length);
                if (i >= BeginningsInHash) continue;
                using FileStream file = File.OpenRead(PathOf(i));
                hash.Add<byte>(beginning.AsSpan(0, file.ReadAtLeast(beginning, beginning.Length, throwOnEndOfStream: false)));
            }
            catch (Exception e) when (e is IOException or UnauthorizedAccessException)
            {
                throw new AsniException($"The image '{PathOf(i)}' cannot be read: {e.Message}", e);
            }
        }
        return hash.Finish();
    }

    /// <summary>In the order of their names; images of other formats are counted by extension.</summary>
    private static List<string> ImagesBelow(string root, string folder, SortedDictionary<string, int> others)
    {
        var images = new List<string>();
        foreach (string file in Directory.EnumerateFiles(Path.Combine(root, folder), "*", SearchOption.AllDirectories))
        {
            if (Path.GetFileName(file).StartsWith('.')) continue;
            string extension = Path.GetExtension(file).ToLowerInvariant();
            if (s_extensions.Contains(extension)) images.Add(Path.GetRelativePath(root, file));
            else if (s_otherExtensions.Contains(extension)) others[extension] = others.GetValueOrDefault(extension) + 1;
        }
        images.Sort(StringComparer.Ordinal);
        return images;
    }

    private static ImageList Make(string root, ImmutableArray<string> classes, List<(string File, int Label)> found, SortedDictionary<string, int> others)
    {
        if (found.Count == 0) throw new AsniException($"'{root}' has no images ({string.Join(", ", s_extensions)}).");
        (string File, int Label)[] images = [.. found];
        SplitMix64.Fork(0, 0).Shuffle(images.AsSpan());
        return new ImageList(root, classes, [.. images.Select(i => i.File)], [.. images.Select(i => i.Label)])
        {
            PassedOver = string.Join(", ", others.Select(o => $"{o.Value:N0} {o.Key}")),
        };
    }
}
