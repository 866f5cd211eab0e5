using System.Runtime.CompilerServices;

namespace Asni.Formats.PyTorch;

/// <summary>A Python name that a pickle mentions: module and name, nothing more.</summary>
internal sealed record PickleGlobal(string Module, string Name)
{
    /// <summary>Made once: a pickle may call it any number of times.</summary>
    public string FullName { get; } = $"{Module}.{Name}";
}

/// <summary>Something a pickle would have Python build that a state dict does not need: kept as a place holder, never built.</summary>
internal sealed record PickleOpaque(string What);

/// <summary>A storage of the archive: its elements' type, the entry "data/KEY", and how many elements there are.</summary>
internal sealed record PickleStorage(string Type, string Key, long Elements);

/// <summary>A view of a storage: offset and strides in elements.</summary>
internal sealed record PickleTensor(PickleStorage Storage, long Offset, long[] Dims, long[] Strides);

/// <summary>
/// Keys of a pickle's dictionaries: texts are the same when their letters are, anything else only when it is the same object. No state dict is looked into by
/// numbers, whose hashes a file could make collide.
/// </summary>
internal sealed class PickleKeys : IEqualityComparer<object>
{
    public static PickleKeys Comparer { get; } = new();

    public new bool Equals(object? x, object? y) => x is string a && y is string b ? a == b : ReferenceEquals(x, y);

    public int GetHashCode(object key) => key is string text ? text.GetHashCode() : RuntimeHelpers.GetHashCode(key);
}
