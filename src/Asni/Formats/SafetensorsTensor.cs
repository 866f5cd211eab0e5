using System.Collections.Immutable;
using System.Runtime.InteropServices;
using Asni.Tensors;

namespace Asni.Formats;

/// <summary>One tensor of a safetensors file as its header has it.</summary>
/// <param name="DType">The format's own name: "F32", "BOOL", ...</param>
/// <param name="Begin">First byte, counted from the end of the header.</param>
/// <param name="End">One past the last byte.</param>
internal sealed record SafetensorsEntry(string Name, string DType, ImmutableArray<long> Dims, long Begin, long End)
{
    public long Bytes => End - Begin;
    public string ShapeText => $"[{string.Join(", ", Dims)}]";

    public bool HasShape(Shape shape)
    {
        if (Dims.Length != shape.Rank) return false;
        for (int i = 0; i < Dims.Length; i++)
            if (Dims[i] != shape[i]) return false;
        return true;
    }
}

/// <summary>A tensor to be written. Data are little-endian and row-major.</summary>
internal sealed class SafetensorsTensor
{
    private readonly Action<Stream> _write;

    private SafetensorsTensor(string name, string dtype, Shape shape, long bytes, Action<Stream> write) =>
        (Name, DType, Shape, Bytes, _write) = (name, dtype, shape, bytes, write);

    public string Name { get; }
    public string DType { get; }
    public Shape Shape { get; }
    public long Bytes { get; }

    public static SafetensorsTensor Single(string name, Shape shape, float[] values)
    {
        CheckLength(name, shape, values.Length);
        return new SafetensorsTensor(name, "F32", shape, shape.Elements * sizeof(float),
            stream => stream.Write(MemoryMarshal.AsBytes(values.AsSpan())));
    }

    /// <summary>One byte an element, 1 = live.</summary>
    public static SafetensorsTensor Bool(string name, Shape shape, Mask mask)
    {
        CheckLength(name, shape, mask.Length);
        return new SafetensorsTensor(name, "BOOL", shape, shape.Elements, stream => WriteMask(mask, stream));
    }

    internal void WriteTo(Stream stream) => _write(stream);

    private static void WriteMask(Mask mask, Stream stream)
    {
        var buffer = new byte[1 << 16];
        for (long start = 0; start < mask.Length; start += buffer.Length)
        {
            int count = (int)Math.Min(buffer.Length, mask.Length - start);
            for (int i = 0; i < count; i++) buffer[i] = mask[start + i] ? (byte)1 : (byte)0;
            stream.Write(buffer, 0, count);
        }
    }

    private static void CheckLength(string name, Shape shape, long length)
    {
        if (shape.Elements != length) throw new ArgumentException($"{name}: {length} values for the shape {shape}.");
    }
}
