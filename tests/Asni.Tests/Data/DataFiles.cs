using System.Buffers.Binary;
using System.IO.Compression;
using Asni.Data;
using Asni.Tensors;

namespace Asni.Tests.Data;

/// <summary>Small files in the layouts of the public datasets, with contents that follow from an index.</summary>
internal static class DataFiles
{
    public static byte[] Idx(byte[] data, params int[] dims)
    {
        byte[] file = new byte[4 + 4 * dims.Length + data.Length];
        BinaryPrimitives.WriteInt32BigEndian(file, 0x0800 | dims.Length);
        for (int i = 0; i < dims.Length; i++) BinaryPrimitives.WriteInt32BigEndian(file.AsSpan(4 + 4 * i), dims[i]);
        data.CopyTo(file, 4 + 4 * dims.Length);
        return file;
    }

    public static byte[] Gzip(byte[] data)
    {
        using var memory = new MemoryStream();
        using (var gzip = new GZipStream(memory, CompressionLevel.Fastest)) gzip.Write(data);
        return memory.ToArray();
    }

    public static byte[] Bytes(int count, Func<int, int> value) => [.. Enumerable.Range(0, count).Select(i => (byte)value(i))];

    /// <summary>A set of 28x28 images whose pixels are all their index, labels index modulo 10.</summary>
    public static void WriteMnist(TemporaryFolder folder, string under = "", int train = 20, int test = 10)
    {
        foreach ((string split, int count) in (ReadOnlySpan<(string, int)>)[("train", train), ("t10k", test)])
        {
            folder.Write(Path.Combine(under, $"{split}-images-idx3-ubyte"), Idx(Bytes(count * 784, i => i / 784), count, 28, 28));
            folder.Write(Path.Combine(under, $"{split}-labels-idx1-ubyte"), Idx(Bytes(count, i => i % 10), count));
        }
    }
}

/// <summary>Images whose every pixel is a function of (index, position); reading can be made slow or fail.</summary>
internal sealed class CountingDataset(int count, Chw shape, bool inMemory = true, Action<int>? onRead = null) : Dataset
{
    public override string Name => "counting";
    public override int Count => count;
    public override int Classes => 10;
    public override Chw Shape => shape;
    public override Normalization Normalization { get; } = new([0.5f], [0.5f]);
    public override ReadOnlyMemory<byte> Pixels { get; } =
        inMemory ? (ReadOnlyMemory<byte>)DataFiles.Bytes(count * shape.Elements, i => i / shape.Elements * 7 + i % shape.Elements + 1) : default;
    public override int GetLabel(int index) => index;

    public override void Read(int index, Span<byte> chw)
    {
        onRead?.Invoke(index);
        for (int i = 0; i < chw.Length; i++) chw[i] = (byte)(index * 7 + i + 1);
    }
}
