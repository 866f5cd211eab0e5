using System.Buffers.Binary;
using System.IO.Compression;
using System.Security.Cryptography;
using System.Text;
using Asni.Networks;
using Asni.Tensors;

namespace Asni.Formats.Amenable;

/// <summary>The bytes of an .asni file.</summary>
internal static class AsniWriter
{
    private const int LengthAt = 8, BrotliQuality = 11, BrotliWindow = 22;

    public static byte[] Bytes(TrainedNetwork trained, string phase, bool half)
    {
        Network network = trained.Network;
        bool levels = false;
        using var buffer = new MemoryStream();
        using (var writer = new BinaryWriter(buffer, Encoding.UTF8, leaveOpen: true))
        {
            writer.Write(AsniFile.Magic);
            writer.Write(AsniFile.VersionWithoutLevels);
            writer.Write((ushort)0);
            writer.Write(0UL);
            Text(writer, network.Name);
            Text(writer, phase);
            Graph(writer, network);
            writer.Write(network.Parameters.Length);
            foreach (Parameter p in network.Parameters) levels |= Tensor(writer, p, trained.Values[p.Index], trained.Masks[p.Index], half && p.IsWeight);
        }
        byte[] file = new byte[buffer.Length + AsniFile.ChecksumBytes];
        buffer.GetBuffer().AsSpan(0, (int)buffer.Length).CopyTo(file);
        if (levels) BinaryPrimitives.WriteUInt16LittleEndian(file.AsSpan(AsniFile.Magic.Length), AsniFile.Version);
        BinaryPrimitives.WriteUInt64LittleEndian(file.AsSpan(LengthAt), (ulong)file.Length);
        SHA256.HashData(file.AsSpan(..^AsniFile.ChecksumBytes), file.AsSpan(^AsniFile.ChecksumBytes..));
        return file;
    }

    /// <returns>Whether it is a list of levels.</returns>
    private static bool Tensor(BinaryWriter writer, Parameter p, float[] values, Mask? mask, bool half)
    {
        CodedMask coded = MaskCode.Encode(mask, p.Elements);
        CodedValues live = ValueCode.Encode(Live(values, mask, coded.Live), half);
        Text(writer, p.Name);
        writer.Write((byte)p.Shape.Rank);
        foreach (int dim in p.Shape.Dims) writer.Write(dim);
        writer.Write((byte)coded.Coding);
        writer.Write(coded.Parameter);
        writer.Write(coded.Live);
        writer.Write(coded.Bytes.Length);
        writer.Write(coded.Bytes);
        writer.Write((byte)live.Coding);
        writer.Write(live.Bytes.Length);
        writer.Write(live.Bytes);
        return live.Coding == ValueCoding.Levels;
    }

    private static float[] Live(float[] values, Mask? mask, long live)
    {
        if (mask is null || live == values.Length) return values;
        var kept = new float[live];
        int next = 0;
        foreach (long position in MaskCode.Positions(mask, live: true)) kept[next++] = values[position];
        return kept;
    }

    private static void Graph(BinaryWriter writer, Network network)
    {
        byte[] text = Encoding.UTF8.GetBytes(GraphJson.Write(network)), packed = new byte[BrotliEncoder.GetMaxCompressedLength(text.Length)];
        if (!BrotliEncoder.TryCompress(text, packed, out int bytes, BrotliQuality, BrotliWindow)) throw new InvalidOperationException("Brotli needs more than its bound");
        writer.Write(text.Length);
        writer.Write(bytes);
        writer.Write(packed.AsSpan(0, bytes));
    }

    private static void Text(BinaryWriter writer, string text)
    {
        byte[] bytes = Encoding.UTF8.GetBytes(text);
        if (bytes.Length > ushort.MaxValue) throw new AsniException($"an .asni file takes names of at most {ushort.MaxValue} bytes; '{text[..20]}...' has {bytes.Length}.");
        writer.Write((ushort)bytes.Length);
        writer.Write(bytes);
    }
}
