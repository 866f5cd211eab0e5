using System.Collections.Immutable;

namespace Asni.Formats.PyTorch;

/// <summary>A file of torch.save, of either format: tensors are views of storages, which are read on demand.</summary>
internal abstract class PickledTensors : NamedTensors
{
    /// <summary>A state dict's pickle has some hundred bytes a tensor, and each byte may make an object of tens of bytes.</summary>
    protected const int LargestPickle = 1 << 22;

    private readonly string _path;
    private Dictionary<string, PickleTensor> _tensors = [];
    private Dictionary<string, ImmutableArray<long>>? _shapes;

    /// <summary>Tensors whose memory was taken from the budget: reading one again costs nothing more.</summary>
    private readonly HashSet<string> _taken = [];

    /// <summary>The storage of the last view of a part: parts of one come one after the other.</summary>
    private (PickleStorage Storage, float[] Values)? _last;

    protected PickledTensors(string path)
    {
        _path = path;
        FileBytes = File.Exists(path) ? new FileInfo(path).Length : 0;
        Budget = new ReadBudget(FileBytes, Bad);
    }

    protected long FileBytes { get; }
    protected ReadBudget Budget { get; }

    /// <summary>Whichever format the file is in.</summary>
    /// <exception cref="AsniException">Missing, damaged, or not a state dict.</exception>
    public static PickledTensors OpenFile(string path) =>
        LegacyStateDictFile.HasSignature(WholeFile.Start(path, LegacyStateDictFile.StartBytes)) ? new LegacyStateDictFile(path) : new StateDictFile(path);

    public override IReadOnlyDictionary<string, ImmutableArray<long>> Shapes =>
        _shapes ??= _tensors.ToDictionary(t => t.Key, t => t.Value.Dims.ToImmutableArray());

    public override float[] Read(string name) => StorageTypes.Find(_tensors[name].Storage.Type) is { IsFloat: true } element
        ? Read(name, element)
        : throw Bad($"tensor {name} is a {_tensors[name].Storage.Type}; weights as half, bfloat16, float or double were expected");

    public override float[] ReadNumbers(string name) => StorageTypes.Find(_tensors[name].Storage.Type) is { } element
        ? Read(name, element)
        : throw Bad($"tensor {name} is a {_tensors[name].Storage.Type}, which is not read");

    /// <summary>All elements of a storage.</summary>
    protected abstract byte[] ReadStorage(string name, PickleStorage storage, long bytes);

    /// <summary>Finds the state dict in what was pickled.</summary>
    protected void Collect(object root)
    {
        _tensors = StateDictSearch.Find(root, Bad);
        foreach ((string name, PickleTensor tensor) in _tensors)
            if (tensor.Storage.Elements > FileBytes) throw Bad($"the data of tensor {name} are longer than the file");
    }

    protected AsniException Bad(string what) => Bad(what, null);

    protected AsniException Bad(string what, Exception? inner) => new($"{_path} is not a usable PyTorch state dict: {what}.", inner);

    private float[] Read(string name, ElementType element)
    {
        PickleTensor tensor = _tensors[name];
        long count = CheckExtent(name, tensor);
        if (tensor.Storage.Elements > Array.MaxLength / element.Bytes) throw Bad($"the data of tensor {name} are too large");
        bool isWhole = IsPlain(tensor) && count == tensor.Storage.Elements;
        bool isFirst = _taken.Add(name);
        if (isFirst && !isWhole) Budget.Take((UInt128)count, sizeof(float), $"tensor {name}");
        if (!isWhole && _last is { } last && last.Storage == tensor.Storage) return Gather(tensor, last.Values, count);
        if (isFirst) Budget.Take((UInt128)tensor.Storage.Elements, sizeof(float), $"the data of tensor {name}");
        float[] storage = element.ToSingles(ReadStorage(name, tensor.Storage, tensor.Storage.Elements * element.Bytes));
        if (isWhole) return storage;
        _last = (tensor.Storage, storage);
        return Gather(tensor, storage, count);
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
}

/// <summary>PyTorch's names of storages.</summary>
internal static class StorageTypes
{
    private static readonly Dictionary<string, string> s_elements = new()
    {
        ["HalfStorage"] = "F16",
        ["BFloat16Storage"] = "BF16",
        ["FloatStorage"] = "F32",
        ["DoubleStorage"] = "F64",
        ["BoolStorage"] = "BOOL",
        ["ByteStorage"] = "U8",
        ["CharStorage"] = "I8",
        ["ShortStorage"] = "I16",
        ["IntStorage"] = "I32",
        ["LongStorage"] = "I64",
    };

    /// <summary>Those whose values are not read, by bytes an element: a file before 1.6 has to be read over them.</summary>
    private static readonly Dictionary<string, int> s_others = new()
    {
        ["UntypedStorage"] = 1,
        ["QInt8Storage"] = 1,
        ["QUInt8Storage"] = 1,
        ["QInt32Storage"] = 4,
        ["ComplexFloatStorage"] = 8,
        ["ComplexDoubleStorage"] = 16,
    };

    /// <summary>How the elements become floats; null when they do not.</summary>
    public static ElementType? Find(string storage) => s_elements.TryGetValue(storage, out string? name) ? ElementType.Find(name) : null;

    /// <summary>Bytes an element; null for an unknown type.</summary>
    public static int? Bytes(string storage) => Find(storage)?.Bytes ?? (s_others.TryGetValue(storage, out int bytes) ? bytes : null);
}
