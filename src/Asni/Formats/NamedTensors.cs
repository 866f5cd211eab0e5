using System.Buffers.Binary;
using System.Collections.Immutable;
using System.Runtime.InteropServices;
using Asni.Formats.Amenable;
using Asni.Tensors;

namespace Asni.Formats;

/// <summary>The tensors of a file of any format, by name; values are read on demand.</summary>
internal abstract class NamedTensors : IDisposable
{
    /// <summary>Dimensions by name, without masks.</summary>
    public abstract IReadOnlyDictionary<string, ImmutableArray<long>> Shapes { get; }

    /// <summary>Values in row-major order as 32-bit floats, whatever the file has them as.</summary>
    public abstract float[] Read(string name);

    /// <summary>As <see cref="Read"/>, of tensors of integers and booleans too.</summary>
    public virtual float[] ReadNumbers(string name) => Read(name);

    /// <summary>Which elements live; null when the file says nothing or all.</summary>
    public virtual Mask? ReadMask(string name) => null;

    public virtual void Dispose() => GC.SuppressFinalize(this);

    /// <exception cref="AsniException">The file is missing, damaged or of no known format.</exception>
    public static NamedTensors Open(string path) => WeightFormats.Detect(path).Open(path);
}

internal sealed class AsniTensors(string path) : NamedTensors
{
    private readonly Dictionary<string, StoredTensor> _tensors = AsniFile.ReadTensors(path);

    private Dictionary<string, ImmutableArray<long>>? _shapes;

    public override IReadOnlyDictionary<string, ImmutableArray<long>> Shapes =>
        _shapes ??= _tensors.ToDictionary(t => t.Key, t => t.Value.Shape.Dims.Select(d => (long)d).ToImmutableArray());

    public override float[] Read(string name) => Decode(name).Values;

    public override Mask? ReadMask(string name) => Decode(name).Mask;

    private (float[] Values, Mask? Mask) Decode(string name) => _tensors[name].Decode(what => AsniFile.Bad(path, $"tensor {name} has {what}"));
}

internal sealed class SafetensorsTensors(string path) : NamedTensors
{
    private readonly SafetensorsReader _reader = SafetensorsReader.Open(path);
    private Dictionary<string, ImmutableArray<long>>? _shapes;

    public override IReadOnlyDictionary<string, ImmutableArray<long>> Shapes =>
        _shapes ??= _reader.Entries.Values.Where(e => !IsMask(e.Name)).ToDictionary(e => e.Name, e => e.Dims);

    public override float[] Read(string name)
    {
        SafetensorsEntry entry = _reader.Entries[name];
        if (entry.DType == "F32") return _reader.ReadSingles(entry);
        return ElementType.Find(entry.DType) is { IsFloat: true } type
            ? type.ToSingles(_reader.ReadBytes(entry))
            : throw new AsniException($"tensor {name} of {path} is {entry.DType}; weights as F16, BF16, F32 or F64 were expected.");
    }

    public override float[] ReadNumbers(string name) =>
        ElementType.Find(_reader.Entries[name].DType) is { } type ? type.ToSingles(_reader.ReadBytes(_reader.Entries[name])) : Read(name);

    public override Mask? ReadMask(string name) =>
        _reader.Entries.TryGetValue(name + NetworkFile.MaskSuffix, out SafetensorsEntry? entry) && IsMask(entry.Name)
            ? NetworkFile.ToMask(_reader.ReadBytes(entry)) : null;

    public override void Dispose()
    {
        _reader.Dispose();
        base.Dispose();
    }

    /// <summary>NAME.mask beside a NAME of the same shape.</summary>
    private bool IsMask(string name) => name.EndsWith(NetworkFile.MaskSuffix, StringComparison.Ordinal)
        && _reader.Entries.TryGetValue(name[..^NetworkFile.MaskSuffix.Length], out SafetensorsEntry? masked)
        && _reader.Entries[name].DType == "BOOL" && masked.Dims.SequenceEqual(_reader.Entries[name].Dims);
}

/// <summary>A format of numbers in foreign files and how they become 32-bit floats. Data are little-endian.</summary>
/// <param name="ToSingle">Makes a float of an element's bytes.</param>
internal sealed record ElementType(string Name, int Bytes, bool IsFloat, ElementReader ToSingle)
{
    private static readonly ElementType[] s_all =
    [
        new("F16", 2, true, b => (float)BinaryPrimitives.ReadHalfLittleEndian(b)),
        new("BF16", 2, true, b => BitConverter.UInt32BitsToSingle((uint)BinaryPrimitives.ReadUInt16LittleEndian(b) << 16)),
        new("F32", 4, true, BinaryPrimitives.ReadSingleLittleEndian),
        new("F64", 8, true, b => (float)BinaryPrimitives.ReadDoubleLittleEndian(b)),
        new("BOOL", 1, false, b => b[0]),
        new("U8", 1, false, b => b[0]),
        new("I8", 1, false, b => (sbyte)b[0]),
        new("I16", 2, false, b => BinaryPrimitives.ReadInt16LittleEndian(b)),
        new("I32", 4, false, b => BinaryPrimitives.ReadInt32LittleEndian(b)),
        new("I64", 8, false, b => BinaryPrimitives.ReadInt64LittleEndian(b)),
    ];

    /// <summary>By safetensors' name; null when it is none of these.</summary>
    public static ElementType? Find(string name) => Array.Find(s_all, t => t.Name == name);

    public float[] ToSingles(ReadOnlySpan<byte> bytes)
    {
        var values = new float[bytes.Length / Bytes];
        if (Name == "F32")
        {
            bytes.CopyTo(MemoryMarshal.AsBytes(values.AsSpan()));
            return values;
        }
        for (int i = 0; i < values.Length; i++) values[i] = ToSingle(bytes.Slice(i * Bytes, Bytes));
        return values;
    }
}

internal delegate float ElementReader(ReadOnlySpan<byte> bytes);
