using System.Collections.Immutable;
using System.IO.Compression;

namespace Asni.Formats.PyTorch;

/// <summary>
/// A state dict that torch.save wrote (PyTorch 1.6 and later: a zip archive with a pickle and a file a storage), read without running anything in it.
/// A checkpoint that holds the state dict under one of the usual keys will do.
/// </summary>
internal sealed class StateDictFile : NamedTensors
{
    /// <summary>A state dict's pickle has some hundred bytes a tensor, and each byte may make an object of tens of bytes.</summary>
    private const long LargestPickle = 1 << 22;

    private const string PickleName = "data.pkl", ByteOrderName = "byteorder";
    private const byte PickleStart = 0x80;

    private static readonly string[] s_wrappers = ["state_dict", "model_state_dict", "model", "net"];

    private static readonly Dictionary<string, string> s_types = new()
    {
        ["HalfStorage"] = "F16",
        ["BFloat16Storage"] = "BF16",
        ["FloatStorage"] = "F32",
        ["DoubleStorage"] = "F64",
    };

    private readonly string _path;
    private readonly ZipArchive _archive;
    private readonly string _folder;
    private readonly Dictionary<string, PickleTensor> _tensors = [];
    private Dictionary<string, ImmutableArray<long>>? _shapes;
    private readonly long _fileBytes;
    private readonly ReadBudget _budget;

    /// <summary>Tensors whose memory was taken from the budget: reading one again costs nothing more.</summary>
    private readonly HashSet<string> _taken = [];

    /// <summary>The storage of the last view of a part: parts of one come one after the other.</summary>
    private (PickleStorage Storage, float[] Values)? _last;

    /// <exception cref="AsniException">Missing, damaged, or not a state dict.</exception>
    public StateDictFile(string path)
    {
        _path = path;
        byte[] start = WholeFile.Start(path, 1);
        if (start is [PickleStart])
            throw Bad("it is in the format of PyTorch before 1.6; load it there and save it again with torch.save");
        _fileBytes = new FileInfo(path).Length;
        _budget = new ReadBudget(_fileBytes, Bad);
        _archive = OpenArchive(path);
        try
        {
            ZipArchiveEntry pickle = _archive.Entries.FirstOrDefault(e => e.Name == PickleName)
                ?? throw Bad($"it is a zip archive without {PickleName}");
            _folder = pickle.FullName[..^PickleName.Length];
            CheckByteOrder();
            if (pickle.Length > LargestPickle) throw Bad($"its pickle of {pickle.Length} bytes is too large for a state dict");
            Collect(PickleReader.Read(ReadEntry(pickle, pickle.Length), _budget, Bad));
        }
        catch
        {
            _archive.Dispose();
            throw;
        }
    }

    public override IReadOnlyDictionary<string, ImmutableArray<long>> Shapes =>
        _shapes ??= _tensors.ToDictionary(t => t.Key, t => t.Value.Dims.ToImmutableArray());

    /// <summary>True for the first bytes of a zip archive, or of a pickle (which is refused with a reason).</summary>
    public static bool IsOne(ReadOnlySpan<byte> start) => start.StartsWith("PK\x03\x04"u8) || start.StartsWith((ReadOnlySpan<byte>)[PickleStart, 2]);

    public override float[] Read(string name)
    {
        PickleTensor tensor = _tensors[name];
        if (!s_types.TryGetValue(tensor.Storage.Type, out string? type))
            throw Bad($"tensor {name} is a {tensor.Storage.Type}; weights as half, bfloat16, float or double were expected");
        ElementType element = ElementType.Of(type)!;
        long count = CheckExtent(name, tensor);
        if (tensor.Storage.Elements > Array.MaxLength / element.Bytes) throw Bad($"the data of tensor {name} are too large");
        bool isWhole = IsPlain(tensor) && count == tensor.Storage.Elements;
        bool isFirst = _taken.Add(name);
        if (isFirst && !isWhole) _budget.Take((UInt128)count, sizeof(float), $"tensor {name}");
        if (!isWhole && _last is { } last && last.Storage == tensor.Storage) return Gather(tensor, last.Values, count);
        if (isFirst) _budget.Take((UInt128)tensor.Storage.Elements, sizeof(float), $"the data of tensor {name}");
        ZipArchiveEntry entry = Entry("data/" + tensor.Storage.Key) ?? throw Bad($"the data of tensor {name} are not in it");
        float[] storage = element.ToSingles(ReadEntry(entry, tensor.Storage.Elements * element.Bytes));
        if (isWhole) return storage;
        _last = (tensor.Storage, storage);
        return Gather(tensor, storage, count);
    }

    public override void Dispose()
    {
        _archive.Dispose();
        base.Dispose();
    }

    private ZipArchive OpenArchive(string path)
    {
        ZipArchive? archive = null;
        try
        {
            archive = ZipFile.OpenRead(path);
            // The directory is read, and found good or not, only now.
            _ = archive.Entries;
            return archive;
        }
        catch (Exception e) when (e is InvalidDataException or IOException or UnauthorizedAccessException or ArgumentException
            or NotSupportedException)
        {
            archive?.Dispose();
            throw Bad("its zip archive is cut short or damaged", e);
        }
    }

    private void CheckByteOrder()
    {
        if (Entry(ByteOrderName) is { } order && !ReadEntry(order, order.Length).AsSpan().SequenceEqual("little"u8))
            throw Bad("its numbers are not little-endian");
    }

    private ZipArchiveEntry? Entry(string name) => _archive.GetEntry(_folder + name);

    /// <summary>An entry's bytes, which must be as many as expected, not compressed, and have the archive's checksum.</summary>
    private byte[] ReadEntry(ZipArchiveEntry entry, long expected)
    {
        // torch.save never compresses; refusing what is compressed refuses archives that swell.
        if (entry.Length != expected || entry.CompressedLength != expected || expected > Array.MaxLength)
            throw Bad($"its {entry.FullName} has {entry.CompressedLength} bytes for {entry.Length} where {expected} were expected");
        if (expected > _fileBytes) throw Bad($"its {entry.FullName} has {expected} bytes, more than the file");
        try
        {
            var bytes = new byte[expected];
            using (Stream stream = entry.Open()) stream.ReadExactly(bytes);
            return Crc32.Zip.Of(bytes) == entry.Crc32 ? bytes : throw Bad($"its {entry.FullName} is damaged: the checksum does not agree");
        }
        catch (Exception e) when (e is InvalidDataException or IOException or NotSupportedException)
        {
            throw Bad($"its {entry.FullName} is cut short or damaged", e);
        }
    }

    private void Collect(object root)
    {
        if (root is not Dictionary<object, object> dictionary)
            throw Bad("it holds no state dict but something else, such as a whole module; save model.state_dict()");
        Dictionary<object, object> states = dictionary;
        if (!dictionary.Values.Any(v => v is PickleTensor))
            states = s_wrappers.Select(key => dictionary.GetValueOrDefault(key)).OfType<Dictionary<object, object>>().FirstOrDefault() ?? dictionary;
        foreach ((object key, object value) in states)
            if (key is string name && value is PickleTensor tensor)
                _tensors[name] = tensor.Storage.Elements <= _fileBytes ? tensor : throw Bad($"the data of tensor {name} are longer than the file");
        if (_tensors.Count == 0) throw Bad("it holds no tensor by a name");
    }

    /// <summary>Number of elements; the view must lie inside its storage.</summary>
    private long CheckExtent(string name, PickleTensor tensor)
    {
        UInt128 count = 1, last = (UInt128)tensor.Offset;
        for (int i = 0; i < tensor.Dims.Length; i++)
        {
            count *= (UInt128)tensor.Dims[i];
            if (count > (UInt128)Array.MaxLength) throw Bad($"tensor {name} is too large");
            if (tensor.Dims[i] > 0) last += (UInt128)(tensor.Dims[i] - 1) * (UInt128)tensor.Strides[i];
            if (last > long.MaxValue) throw Bad($"tensor {name} reaches beyond its data");
        }
        if (count > 0 && last >= (UInt128)tensor.Storage.Elements) throw Bad($"tensor {name} reaches beyond its data");
        return (long)count;
    }

    private static bool IsPlain(PickleTensor tensor)
    {
        long expected = 1;
        for (int i = tensor.Dims.Length - 1; i >= 0; i--)
        {
            if (tensor.Dims[i] != 1 && tensor.Strides[i] != expected) return false;
            expected *= tensor.Dims[i];
        }
        return tensor.Offset == 0;
    }

    private static float[] Gather(PickleTensor tensor, float[] storage, long count)
    {
        var values = new float[count];
        var index = new long[tensor.Dims.Length];
        long at = tensor.Offset;
        for (int i = 0; i < values.Length; i++)
        {
            values[i] = storage[at];
            for (int axis = index.Length - 1; axis >= 0; axis--)
            {
                at += tensor.Strides[axis];
                if (++index[axis] < tensor.Dims[axis]) break;
                at -= tensor.Strides[axis] * tensor.Dims[axis];
                index[axis] = 0;
            }
        }
        return values;
    }

    private AsniException Bad(string what) => Bad(what, null);

    private AsniException Bad(string what, Exception? inner) => new($"{_path} is not a usable PyTorch state dict: {what}.", inner);
}
