using Asni.Tensors;

namespace Asni.Data;

/// <summary>
/// The binary version of CIFAR-10 or CIFAR-100 (A. Krizhevsky, cs.toronto.edu/~kriz/cifar.html): records of 1 or 2 label bytes
/// (CIFAR-100: coarse, fine; the fine one is used), then 32x32 pixels as red, green and blue planes. The Python version has files of the same names
/// without extension, which <see cref="CifarPickle"/> reads.
/// </summary>
internal sealed record CifarFiles(
    string Name, string Folder, string PythonFolder, int Classes, int LabelBytes, int RecordsPerFile, string[] TrainFiles, string TestFile,
    Normalization Normalization)
{
    private static readonly Chw Image = new(3, 32, 32);

    public static readonly CifarFiles Cifar10 = new("cifar10", "cifar-10-batches-bin", "cifar-10-batches-py", 10, 1, 10_000,
        ["data_batch_1.bin", "data_batch_2.bin", "data_batch_3.bin", "data_batch_4.bin", "data_batch_5.bin"], "test_batch.bin",
        new Normalization([0.4914f, 0.4822f, 0.4465f], [0.2023f, 0.1994f, 0.2010f]))
    {
        ClassNames = ["airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck"],
    };

    public static readonly CifarFiles Cifar100 = new("cifar100", "cifar-100-binary", "cifar-100-python", 100, 2, 50_000,
        ["train.bin"], "test.bin", new Normalization([0.5071f, 0.4865f, 0.4409f], [0.2673f, 0.2564f, 0.2762f]));

    /// <summary>As batches.meta.txt has them; empty for those that are shown as numbers.</summary>
    public string[] ClassNames { get; init; } = [];

    /// <summary>Records in the test file; both sets have 10,000. The files carry no count, so anything else is a damaged copy.</summary>
    public int TestRecords { get; init; } = 10_000;

    /// <summary>What the Python version calls a file of the binary one.</summary>
    public static string PythonName(string file) => Path.GetFileNameWithoutExtension(file);

    /// <summary>Whether a folder has either version.</summary>
    public bool IsIn(string folder) => IsBinary(folder) || File.Exists(Path.Combine(folder, PythonName(TrainFiles[0])));

    public (Dataset Train, Dataset Test) Open(string folder) => IsBinary(folder)
        ? (OpenFiles(folder, TrainFiles, RecordsPerFile), OpenFiles(folder, [TestFile], TestRecords))
        : (OpenPickles(folder, TrainFiles), OpenPickles(folder, [TestFile]));

    private bool IsBinary(string folder) => File.Exists(Path.Combine(folder, TrainFiles[0]));

    /// <summary>These files say how many images they have.</summary>
    private MemoryDataset OpenPickles(string folder, string[] files)
    {
        var parts = files.Select(f => CifarPickle.Read(Path.Combine(folder, PythonName(f)), LabelBytes == 1 ? "labels" : "fine_labels", Image.Elements, Classes)).ToList();
        if (parts.Sum(p => (long)p.Pixels.Length) > Array.MaxLength) throw new AsniException($"'{folder}' has more images than fit into memory; it is not {Name}.");
        var pixels = new byte[parts.Sum(p => p.Pixels.Length)];
        var labels = new byte[parts.Sum(p => p.Labels.Length)];
        int pixel = 0, label = 0;
        foreach (CifarPickle part in parts)
        {
            part.Pixels.Span.CopyTo(pixels.AsSpan(pixel));
            part.Labels.CopyTo(labels, label);
            (pixel, label) = (pixel + part.Pixels.Length, label + part.Labels.Length);
        }
        return new MemoryDataset(Name, Classes, Image, Normalization, pixels, labels, ClassNames);
    }

    private MemoryDataset OpenFiles(string folder, string[] files, int records)
    {
        byte[] pixels = new byte[checked((long)files.Length * records * Image.Elements)];
        byte[] labels = new byte[files.Length * records];
        for (int i = 0; i < files.Length; i++)
            ReadFile(Path.Combine(folder, files[i]), pixels.AsSpan(i * records * Image.Elements), labels.AsSpan(i * records, records));
        return new MemoryDataset(Name, Classes, Image, Normalization, pixels, labels, ClassNames);
    }

    private void ReadFile(string path, Span<byte> pixels, Span<byte> labels)
    {
        try
        {
            // Larger than the record, so that reading records one by one costs no system call each.
            using var file = new FileStream(path, FileMode.Open, FileAccess.Read, FileShare.Read, bufferSize: 1 << 18);
            long expected = (long)labels.Length * (LabelBytes + Image.Elements);
            if (file.Length != expected)
                throw new AsniException(
                    $"'{path}' is damaged: expected {expected} bytes ({labels.Length} images), found {file.Length}; get it again.");
            Span<byte> label = stackalloc byte[LabelBytes];
            for (int i = 0; i < labels.Length; i++)
            {
                file.ReadExactly(label);
                labels[i] = label[^1];
                if (labels[i] >= Classes)
                    throw new AsniException($"'{path}' is damaged: expected labels 0 to {Classes - 1}, found {labels[i]} for image {i}.");
                file.ReadExactly(pixels.Slice(i * Image.Elements, Image.Elements));
            }
        }
        catch (FileNotFoundException e)
        {
            throw new AsniException(
                $"'{Path.GetDirectoryName(path)}' lacks the file '{Path.GetFileName(path)}' of the binary version of {Name}.", e);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            throw new AsniException($"'{path}' cannot be read: {e.Message}", e);
        }
    }
}
