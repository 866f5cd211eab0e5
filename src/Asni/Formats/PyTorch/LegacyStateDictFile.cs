using System.Buffers.Binary;

namespace Asni.Formats.PyTorch;

/// <summary>
/// What torch.save wrote before PyTorch 1.6 (and still does on request): a magic number, a version, a description of the machine, the object and the
/// keys of its storages, a pickle each; then each storage, its number of elements in 8 bytes before it. Read without running anything in it.
/// </summary>
internal sealed class LegacyStateDictFile : PickledTensors
{
    /// <summary>So many bytes tell such a file: the magic number comes first, after a few opcodes.</summary>
    public const int StartBytes = 32;

    private const long Version = 1001;

    private static readonly byte[] s_magic = [0x6c, 0xfc, 0x9c, 0x46, 0xf9, 0x20, 0x6a, 0xa8, 0x50, 0x19];

    private readonly string _path;
    private readonly FileStream _stream;
    private readonly Dictionary<string, long> _starts = [];

    /// <exception cref="AsniException">Missing, damaged, or not a state dict.</exception>
    public LegacyStateDictFile(string path) : base(path)
    {
        _path = path;
        _stream = WholeFile.Open(path);
        try
        {
            var start = new byte[Math.Min(_stream.Length, LargestPickle)];
            _stream.ReadExactly(start);
            ReadPickles(start);
        }
        catch (IOException e)
        {
            _stream.Dispose();
            throw Bad("it cannot be read to its end", e);
        }
        catch
        {
            _stream.Dispose();
            throw;
        }
    }

    public static bool HasSignature(ReadOnlySpan<byte> start) =>
        start.Length > 2 && start[0] == 0x80 && start[..Math.Min(start.Length, StartBytes)].IndexOf(s_magic) > 0;

    public override void Dispose()
    {
        _stream.Dispose();
        base.Dispose();
    }

    protected override byte[] ReadStorage(string name, PickleStorage storage, long bytes)
    {
        if (!_starts.TryGetValue(storage.Key, out long start)) throw Bad($"the data of tensor {name} are not in it");
        var data = new byte[bytes];
        try
        {
            _stream.Position = start;
            _stream.ReadExactly(data);
            return data;
        }
        catch (IOException e)
        {
            throw new AsniException($"cannot read {_path}: {e.Message.TrimEnd('.')}.", e);
        }
    }

    private void ReadPickles(ReadOnlyMemory<byte> start)
    {
        int position = 0;
        Pickle Next()
        {
            Pickle pickle = PickleReader.ReadFirst(start[position..], Budget, Bad);
            position += pickle.Length;
            return pickle;
        }
        _ = Next();
        if (Next().Root is not Version) throw Bad($"it is of another version than {Version}");
        if (Next().Root is Dictionary<object, object> machine && machine.GetValueOrDefault("little_endian") is false) throw Bad("its numbers are not little-endian");
        Pickle saved = Next();
        if (Next().Root is not List<object> keys) throw Bad("its storages are not listed");
        FindStorages(position, keys, saved.Storages);
        Collect(saved.Root);
    }

    /// <summary>Notes where each storage begins. Every length is checked against the file before anything is read by it.</summary>
    private void FindStorages(long position, List<object> keys, IReadOnlyDictionary<string, PickleStorage> storages)
    {
        Span<byte> length = stackalloc byte[sizeof(long)];
        foreach (object item in keys)
        {
            if (PickleBytes.TextOf(item) is not { } key || !storages.TryGetValue(key, out PickleStorage? storage)) throw Bad("it lists a storage that no tensor has");
            if (StorageTypes.Bytes(storage.Type) is not { } size) throw Bad($"it has a {storage.Type}, which is not read");
            if (position > _stream.Length - length.Length) throw CutShort();
            _stream.Position = position;
            _stream.ReadExactly(length);
            position += length.Length;
            long elements = BinaryPrimitives.ReadInt64LittleEndian(length);
            if (elements != storage.Elements) throw Bad($"its storage {key} has {elements} elements where {storage.Elements} were expected");
            if (elements > (_stream.Length - position) / size) throw CutShort();
            if (!_starts.TryAdd(key, position)) throw Bad($"it lists the storage {key} twice");
            position += elements * size;
        }
    }

    private AsniException CutShort() => Bad("it is cut short: its storages do not lie in it");
}
