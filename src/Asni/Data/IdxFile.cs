using System.Buffers.Binary;
using System.IO.Compression;

namespace Asni.Data;

/// <summary>
/// The contents of one IDX file of unsigned bytes: a big-endian magic number 0x0000_08_rank, the dimensions, the bytes
/// (format: Y. LeCun, "The MNIST database"). Plain or gzipped, told apart by the first two bytes, not by the name.
/// </summary>
internal sealed record IdxFile(string Path, int[] Dims, byte[] Data)
{
    private const int UnsignedByte = 0x08;

    /// <summary>No deflated data becomes more: 258 bytes for 2 bits (zlib's technical details).</summary>
    private const int MaxPerByteOfGzip = 1032;

    public static IdxFile Read(string path, int rank)
    {
        try
        {
            using FileStream file = File.OpenRead(path);
            bool gzip = file.ReadByte() == 0x1f && file.ReadByte() == 0x8b;
            file.Position = 0;
            var budget = new ReadBudget(file.Length, what => new AsniException($"'{path}' is no dataset's IDX file: {what}."));
            using Stream stream = gzip ? new GZipStream(file, CompressionMode.Decompress) : file;
            return Parse(path, stream, gzip ? file.Length * MaxPerByteOfGzip : file.Length, budget, rank);
        }
        catch (InvalidDataException e)
        {
            throw new AsniException($"'{path}' is a damaged gzip file ({e.Message.TrimEnd('.')}); delete it and get it again.", e);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            throw new AsniException($"'{path}' cannot be read: {e.Message}", e);
        }
    }

    private static IdxFile Parse(string path, Stream stream, long limit, ReadBudget budget, int rank)
    {
        byte[] header = new byte[4 + 4 * rank];
        int headerRead = stream.ReadAtLeast(header, header.Length, throwOnEndOfStream: false);
        uint expected = (uint)(UnsignedByte << 8 | rank);
        if (headerRead >= 4 && BinaryPrimitives.ReadUInt32BigEndian(header) is var magic && magic != expected)
            throw new AsniException(
                $"'{path}' is not an IDX file of {What(rank)}: expected magic number 0x{expected:x8}, found 0x{magic:x8}.");
        if (headerRead < header.Length)
            throw new AsniException(
                $"'{path}' is cut short: expected an IDX header of {header.Length} bytes, found {headerRead}; get it again.");

        var dims = new int[rank];
        long size = 1;
        for (int i = 0; i < rank; i++)
        {
            dims[i] = BinaryPrimitives.ReadInt32BigEndian(header.AsSpan(4 + 4 * i));
            if (dims[i] < 1 || (size = Math.BigMul(dims[i], (int)size)) > Array.MaxLength)
                throw new AsniException($"'{path}' has an impossible IDX header: dimension {i} is {dims[i]}; get the file again.");
        }
        if (header.Length + size > limit) throw CutShort(path, size, limit - header.Length);

        budget.Take((UInt128)size, 1, $"its {string.Join(" x ", dims)} bytes");

        byte[] data = new byte[size];
        int read = stream.ReadAtLeast(data, data.Length, throwOnEndOfStream: false);
        if (read < size) throw CutShort(path, size, read);
        if (stream.ReadByte() >= 0)
            throw new AsniException(
                $"'{path}' is longer than its header says: expected {size} bytes of {What(rank)}, found more; get it again.");
        return new IdxFile(path, dims, data);
    }

    private static AsniException CutShort(string path, long expected, long found) =>
        new($"'{path}' is cut short: its header promises {expected} bytes, found at most {Math.Max(0, found)}; delete it and get it again.");

    private static string What(int rank) => rank == 1 ? "labels" : "images";
}
