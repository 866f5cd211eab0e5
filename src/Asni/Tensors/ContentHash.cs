using System.Runtime.InteropServices;
using System.Security.Cryptography;

namespace Asni.Tensors;

/// <summary>A SHA-256 of names, numbers and arrays, each with its length, so that no two contents run together to the same bytes.</summary>
internal sealed class ContentHash : IDisposable
{
    private readonly IncrementalHash _hash = IncrementalHash.CreateHash(HashAlgorithmName.SHA256);

    public void Add(string text) => Add<byte>(System.Text.Encoding.UTF8.GetBytes(text));

    public void Add(long number)
    {
        Span<byte> bytes = stackalloc byte[sizeof(long)];
        System.Buffers.Binary.BinaryPrimitives.WriteInt64LittleEndian(bytes, number);
        _hash.AppendData(bytes);
    }

    /// <summary>Values as they lie in memory.</summary>
    public void Add<T>(ReadOnlySpan<T> values) where T : unmanaged
    {
        Add(values.Length);
        _hash.AppendData(MemoryMarshal.AsBytes(values));
    }

    /// <summary>In lower-case hexadecimal, of all that was added.</summary>
    public string Finish() => Convert.ToHexStringLower(_hash.GetHashAndReset());

    public void Dispose() => _hash.Dispose();
}
