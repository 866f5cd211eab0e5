using System.Buffers.Binary;
using System.IO.Compression;
using Asni.Data;

namespace Asni.Fuzz;

/// <summary>Datasets in files.</summary>
internal static class DataFormats
{
    private static readonly CifarFiles s_cifar = CifarFiles.Cifar10 with { RecordsPerFile = 2, TestRecords = 2, TrainFiles = ["input.bin"], TestFile = "input.bin" };

    public static IEnumerable<FuzzedFormat> All()
    {
        byte[] images = Idx([5, 4, 3]), labels = Idx([6]);
        yield return new("idx", [images, labels], FuzzedFormat.AsIs, Load, "input");
        yield return new("idx-gz", [images, labels], (file, random) => random.Next(2) == 0 ? Gzip(file) : Mutation.Apply(Gzip(file), [Gzip(images)], random), Load, "input.gz");
        var cifar = new byte[2 * (1 + 3072)];
        for (int i = 0; i < cifar.Length; i++) cifar[i] = (byte)(i % 10);
        yield return new("cifar", [cifar], (file, random) => random.Next(2) == 0 ? Resized(file, cifar.Length) : file, path => s_cifar.Open(Path.GetDirectoryName(path)!), "input.bin");
    }

    private static void Load(string path)
    {
        // Told apart as a dataset does: by what is expected.
        try
        {
            IdxFile.Read(path, rank: 3);
        }
        catch (AsniException)
        {
            IdxFile.Read(path, rank: 1);
        }
    }

    private static byte[] Idx(int[] dims)
    {
        int count = dims.Aggregate(1, (n, d) => n * d);
        var file = new byte[4 + 4 * dims.Length + count];
        (file[2], file[3]) = (8, (byte)dims.Length);
        for (int i = 0; i < dims.Length; i++) BinaryPrimitives.WriteInt32BigEndian(file.AsSpan(4 + 4 * i), dims[i]);
        for (int i = 0; i < count; i++) file[file.Length - 1 - i] = (byte)(i % 10);
        return file;
    }

    private static byte[] Gzip(byte[] file)
    {
        using var memory = new MemoryStream();
        using (var gzip = new GZipStream(memory, CompressionLevel.Fastest, leaveOpen: true)) gzip.Write(file);
        return memory.ToArray();
    }

    private static byte[] Resized(byte[] file, int length)
    {
        Array.Resize(ref file, length);
        return file;
    }
}
