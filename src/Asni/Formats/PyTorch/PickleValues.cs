using System.Runtime.CompilerServices;
using System.Text;

namespace Asni.Formats.PyTorch;

/// <summary>A Python name that a pickle mentions: module and name, nothing more.</summary>
internal sealed record PickleGlobal(string Module, string Name)
{
    /// <summary>Made once: a pickle may call it any number of times.</summary>
    public string FullName { get; } = $"{Module}.{Name}";
}

/// <summary>A pickle that was read: its object, how many bytes it took, and the storages it names, by key.</summary>
internal sealed record Pickle(object Root, int Length, IReadOnlyDictionary<string, PickleStorage> Storages);

/// <summary>Something a pickle would have Python build that is not needed: kept as a place holder, never built.</summary>
internal sealed record PickleOpaque(string What);

/// <summary>A call a pickle would have Python make: kept as function and arguments, never made. State is what the result would be given after it.</summary>
internal sealed class PickleCall(string function, object[] arguments)
{
    public string Function => function;
    public object[] Arguments => arguments;
    public object? State { get; set; }
}

/// <summary>Bytes, which are a text too where Python 2 wrote them: a part of the pickle, not a copy.</summary>
internal sealed class PickleBytes(ReadOnlyMemory<byte> bytes)
{
    public ReadOnlyMemory<byte> Bytes => bytes;

    /// <summary>A text of either kind; null for anything else.</summary>
    public static string? TextOf(object value) => value as string ?? (value is PickleBytes b ? Encoding.Latin1.GetString(b.Bytes.Span) : null);
}

/// <summary>
/// A storage of the archive: its elements' type, its key, how many elements there are, and the element that offsets count from
/// (not 0 for the parts of a storage that files before 1.6 have).
/// </summary>
internal sealed record PickleStorage(string Type, string Key, long Elements, long First);

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
