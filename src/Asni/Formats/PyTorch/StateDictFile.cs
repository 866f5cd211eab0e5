using System.IO.Compression;
using System.IO.Hashing;

namespace Asni.Formats.PyTorch;

/// <summary>
/// A state dict that torch.save wrote (PyTorch 1.6 and later: a zip archive with a pickle and a file a storage), read without running anything in it.
/// A checkpoint that holds the state dict will do.
/// </summary>
internal sealed class StateDictFile : PickledTensors
{
    private const string PickleName = "data.pkl", ByteOrderName = "byteorder";

    private readonly ZipArchive _archive;
    private readonly string _folder;

    /// <exception cref="AsniException">Missing, damaged, or not a state dict.</exception>
    public StateDictFile(string path) : base(path)
    {
        _archive = OpenArchive(path);
        try
        {
            ZipArchiveEntry pickle = _archive.Entries.FirstOrDefault(e => e.Name == PickleName)
                ?? throw Bad(WhatElse());
            _folder = pickle.FullName[..^PickleName.Length];
            CheckByteOrder();
            if (pickle.Length > LargestPickle) throw Bad($"its pickle of {pickle.Length} bytes is too large for a state dict");
            Collect(PickleReader.Read(ReadEntry(pickle, pickle.Length), Budget, Bad));
        }
        catch
        {
            _archive.Dispose();
            throw;
        }
    }

    /// <summary>True for the first bytes of a zip archive.</summary>
    public static bool HasSignature(ReadOnlySpan<byte> start) => start.StartsWith("PK\x03\x04"u8);

    protected override byte[] ReadStorage(string name, PickleStorage storage, long bytes) =>
        ReadEntry(Entry("data/" + storage.Key) ?? throw Bad($"the data of tensor {name} are not in it"), bytes);

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

    /// <summary>What a zip archive without a pickle of torch.save is.</summary>
    private string WhatElse()
    {
        bool Has(string ending) => _archive.Entries.Any(e => e.FullName.EndsWith(ending, StringComparison.OrdinalIgnoreCase));
        return Has(".npy") ? "it is an archive of NumPy arrays (.npz)"
            : Has("[Content_Types].xml") ? "it is an office document"
            : Has("config.json") && Has(".h5") ? "it is a Keras model"
            : $"it is a zip archive without {PickleName}";
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
        if (expected > FileBytes) throw Bad($"its {entry.FullName} has {expected} bytes, more than the file");
        try
        {
            var bytes = new byte[expected];
            using (Stream stream = entry.Open()) stream.ReadExactly(bytes);
            return Crc32.HashToUInt32(bytes) == entry.Crc32 ? bytes : throw Bad($"its {entry.FullName} is damaged: the checksum does not agree");
        }
        catch (Exception e) when (e is InvalidDataException or IOException or NotSupportedException)
        {
            throw Bad($"its {entry.FullName} is cut short or damaged", e);
        }
    }
}
