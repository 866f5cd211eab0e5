namespace Asni.Formats.PyTorch;

/// <summary>A Python name that a pickle mentions: module and name, nothing more.</summary>
internal sealed record PickleGlobal(string Module, string Name)
{
    public string FullName => $"{Module}.{Name}";
}

/// <summary>Something a pickle would have Python build that a state dict does not need: kept as a place holder, never built.</summary>
internal sealed record PickleOpaque(string What);

/// <summary>A storage of the archive: its elements' type, the entry "data/KEY", and how many elements there are.</summary>
internal sealed record PickleStorage(string Type, string Key, long Elements);

/// <summary>A view of a storage: offset and strides in elements.</summary>
internal sealed record PickleTensor(PickleStorage Storage, long Offset, long[] Dims, long[] Strides);
