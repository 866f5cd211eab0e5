using System.Buffers.Binary;
using System.Collections.Immutable;
using System.Runtime.InteropServices;
using System.Text.Json;

namespace Asni.Formats;

/// <summary>
/// An open safetensors file. The whole header is checked when opening (sizes, types, overlaps, holes, bounds); tensors are read on demand.
/// </summary>
internal sealed class SafetensorsReader : IDisposable
{
    internal const string MetadataKey = "__metadata__";

    /// <summary>The limit of the reference implementation, so that a damaged length does not ask for all memory.</summary>
    private const long MaximumHeaderBytes = 100_000_000;

    private static readonly Dictionary<string, int> s_bytesOf = new()
    {
        ["BOOL"] = 1,
        ["U8"] = 1,
        ["I8"] = 1,
        ["F8_E4M3"] = 1,
        ["F8_E5M2"] = 1,
        ["U16"] = 2,
        ["I16"] = 2,
        ["F16"] = 2,
        ["BF16"] = 2,
        ["U32"] = 4,
        ["I32"] = 4,
        ["F32"] = 4,
        ["U64"] = 8,
        ["I64"] = 8,
        ["F64"] = 8,
    };

    private readonly string _path;
    private readonly FileStream _stream;
    private readonly long _dataStart;

    private SafetensorsReader(string path, FileStream stream)
    {
        _path = path;
        _stream = stream;
        using JsonDocument header = ReadHeader(out _dataStart);
        try
        {
            Metadata = ReadMetadata(header.RootElement);
            Entries = ReadEntries(header.RootElement);
        }
        catch (InvalidOperationException e)
        {
            // JSON is checked when it is parsed, the text in its strings only when it is read.
            throw Bad("a text in its header is not valid Unicode", e);
        }
        CheckLayout();
    }

    /// <summary>Free text by key; empty when the file has none.</summary>
    public IReadOnlyDictionary<string, string> Metadata { get; }

    /// <summary>By name.</summary>
    public IReadOnlyDictionary<string, SafetensorsEntry> Entries { get; }

    /// <exception cref="AsniException">The file is missing, cut short, or not a valid safetensors file.</exception>
    public static SafetensorsReader Open(string path)
    {
        FileStream stream = WholeFile.Open(path);
        try
        {
            return new SafetensorsReader(path, stream);
        }
        catch (Exception e)
        {
            stream.Dispose();
            if (e is IOException) throw new AsniException($"cannot read {path}: {e.Message.TrimEnd('.')}.", e);
            throw;
        }
    }

    /// <summary>True for first bytes with a length that is possible and a header that begins as one.</summary>
    internal static bool MayBeOne(ReadOnlySpan<byte> start) =>
        start.Length > sizeof(ulong) && BinaryPrimitives.ReadUInt64LittleEndian(start) <= MaximumHeaderBytes && start[sizeof(ulong)] == '{';

    /// <summary>The values of an F32 tensor.</summary>
    public float[] ReadSingles(SafetensorsEntry entry)
    {
        if (entry.DType != "F32") throw Bad($"tensor {entry.Name} is {entry.DType}, F32 was expected");
        CheckLength(entry);
        var values = new float[entry.Bytes / sizeof(float)];
        Read(entry, MemoryMarshal.AsBytes(values.AsSpan()));
        return values;
    }

    /// <summary>The bytes of a tensor of any type.</summary>
    public byte[] ReadBytes(SafetensorsEntry entry)
    {
        CheckLength(entry);
        var bytes = new byte[entry.Bytes];
        Read(entry, bytes);
        return bytes;
    }

    /// <summary>Writes a tensor's bytes to a stream, a part at a time.</summary>
    internal void CopyTo(SafetensorsEntry entry, Stream to)
    {
        var part = new byte[(int)Math.Min(1 << 20, entry.Bytes)];
        _stream.Position = _dataStart + entry.Begin;
        for (long left = entry.Bytes; left > 0; left -= part.Length)
        {
            Span<byte> some = part.AsSpan(0, (int)Math.Min(part.Length, left));
            _stream.ReadExactly(some);
            to.Write(some);
        }
    }

    public void Dispose() => _stream.Dispose();

    private void CheckLength(SafetensorsEntry entry)
    {
        if (entry.Bytes > Array.MaxLength) throw Bad($"tensor {entry.Name} has more than 2 GiB");
    }

    private void Read(SafetensorsEntry entry, Span<byte> to)
    {
        _stream.Position = _dataStart + entry.Begin;
        _stream.ReadExactly(to);
    }

    private JsonDocument ReadHeader(out long dataStart)
    {
        Span<byte> prefix = stackalloc byte[sizeof(ulong)];
        if (_stream.ReadAtLeast(prefix, prefix.Length, throwOnEndOfStream: false) < prefix.Length)
            throw Bad($"it has only {_stream.Length} bytes, 8 are needed for the header's length");
        ulong length = BinaryPrimitives.ReadUInt64LittleEndian(prefix);
        if (length > MaximumHeaderBytes || (long)length > _stream.Length - prefix.Length)
            throw Bad($"it is cut short or damaged: it announces a header of {length} bytes in a file of {_stream.Length}");
        var header = new byte[length];
        _stream.ReadExactly(header);
        dataStart = prefix.Length + (long)length;
        try
        {
            var document = JsonDocument.Parse(header, new JsonDocumentOptions { AllowDuplicateProperties = false });
            if (document.RootElement.ValueKind == JsonValueKind.Object) return document;
            document.Dispose();
            throw Bad("its header is not a JSON object");
        }
        catch (JsonException e)
        {
            throw Bad("its header is not valid JSON", e);
        }
    }

    private Dictionary<string, string> ReadMetadata(JsonElement root)
    {
        var metadata = new Dictionary<string, string>();
        if (!root.TryGetProperty(MetadataKey, out JsonElement element)) return metadata;
        if (element.ValueKind != JsonValueKind.Object) throw Bad("its __metadata__ is not a JSON object");
        foreach (JsonProperty property in element.EnumerateObject())
        {
            if (property.Value.ValueKind != JsonValueKind.String) throw Bad($"its __metadata__ entry {property.Name} is not a string");
            metadata[property.Name] = property.Value.GetString()!;
        }
        return metadata;
    }

    private Dictionary<string, SafetensorsEntry> ReadEntries(JsonElement root)
    {
        var entries = new Dictionary<string, SafetensorsEntry>();
        foreach (JsonProperty property in root.EnumerateObject())
            if (property.Name != MetadataKey) entries[property.Name] = ReadEntry(property.Name, property.Value);
        return entries;
    }

    private SafetensorsEntry ReadEntry(string name, JsonElement json)
    {
        if (json.ValueKind != JsonValueKind.Object || !json.TryGetProperty("dtype", out JsonElement dtype) || dtype.ValueKind != JsonValueKind.String)
            throw Bad($"tensor {name} has no dtype");
        string type = dtype.GetString()!;
        if (!s_bytesOf.TryGetValue(type, out int size)) throw Bad($"tensor {name} has the unknown dtype {type}");
        ImmutableArray<long> dims = Numbers(json, name, "shape");
        ImmutableArray<long> offsets = Numbers(json, name, "data_offsets");
        if (offsets.Length != 2 || offsets[0] > offsets[1]) throw Bad($"tensor {name} has bad data_offsets");
        var entry = new SafetensorsEntry(name, type, dims, offsets[0], offsets[1]);
        UInt128 bytes = (UInt128)size;
        foreach (long dim in dims)
        {
            bytes *= (UInt128)dim;
            if (bytes > long.MaxValue) throw Bad($"tensor {name} of shape {entry.ShapeText} is too large");
        }
        if (bytes != (UInt128)entry.Bytes) throw Bad($"tensor {name} of shape {entry.ShapeText} needs {bytes} bytes of {type}, the file gives it {entry.Bytes}");
        return entry;
    }

    private ImmutableArray<long> Numbers(JsonElement json, string name, string key)
    {
        if (!json.TryGetProperty(key, out JsonElement array) || array.ValueKind != JsonValueKind.Array) throw Bad($"tensor {name} has no {key}");
        var numbers = ImmutableArray.CreateBuilder<long>();
        foreach (JsonElement item in array.EnumerateArray())
        {
            if (item.ValueKind != JsonValueKind.Number || !item.TryGetInt64(out long number) || number < 0)
                throw Bad($"tensor {name} has a {key} that is not a list of whole numbers");
            numbers.Add(number);
        }
        return numbers.ToImmutable();
    }

    /// <summary>The tensors must cover the data exactly: no overlap, no hole, no byte too few or too many.</summary>
    private void CheckLayout()
    {
        long position = 0;
        foreach (SafetensorsEntry entry in Entries.Values.OrderBy(e => e.Begin).ThenBy(e => e.End))
        {
            if (entry.Begin < position) throw Bad($"tensor {entry.Name} overlaps the one before it");
            if (entry.Begin > position) throw Bad($"{entry.Begin - position} bytes before tensor {entry.Name} belong to no tensor");
            position = entry.End;
        }
        long data = _stream.Length - _dataStart;
        if (position > data) throw Bad($"it is cut short: its tensors need {position} bytes, {data} are there");
        if (position < data) throw Bad($"{data - position} bytes at its end belong to no tensor");
    }

    private AsniException Bad(string what, Exception? inner = null) => new($"{_path} is not a usable safetensors file: {what}.", inner);
}
