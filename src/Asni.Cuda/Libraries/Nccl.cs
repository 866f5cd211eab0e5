using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using Asni.Cuda.Driver;
using Asni.Distributed;

namespace Asni.Cuda.Libraries;

/// <summary>
/// NCCL, NVIDIA's library of exchanges between GPUs, on one stream, if every rank has it and a GPU of its own. Functions under their C names, each returns an ncclResult_t.
/// </summary>
internal sealed unsafe partial class Nccl
{
    private const string Library = NativeLibraries.Nccl;

    // Of ncclDataType_t and ncclRedOp_t.
    private const int Float32 = 7, Sum = 0;

    private readonly nint _stream;
    private readonly nint _handle;

    static Nccl() => NativeLibraries.Register();

    private Nccl(CudaStream stream, Communicator ranks)
    {
        (_stream, Size, Rank) = (stream.Handle, ranks.Size, ranks.Rank);
        var id = default(UniqueId);
        stream.Context.MakeCurrent();
        if (Rank == 0) Check(ncclGetUniqueId(out id));
        ranks.Broadcast(MemoryMarshal.AsBytes(new Span<UniqueId>(ref id)), root: 0);
        // It takes its memory here, and connects the GPUs.
        Check(ncclCommInitRank(out _handle, Size, id, Rank));
    }

    public int Rank { get; }

    public int Size { get; }

    /// <summary>As NCCL counts: 22809 is 2.28.9. Null: the library is not there.</summary>
    public static int? Version => NativeLibraries.Exports(Library, nameof(ncclSend)) && ncclGetVersion(out int version) == 0 ? version : null;

    /// <summary>"2.28.9"; null: the library is not there.</summary>
    public static string? VersionText => Version is { } v ? FormattableString.Invariant($"{v / 10000}.{v / 100 % 100}.{v % 100}") : null;

    /// <summary>Null on every rank when the library is not on all of them in one version, or two share a GPU.</summary>
    /// <exception cref="AsniException">NCCL does not find the other ranks.</exception>
    public static Nccl? Open(CudaStream stream, Communicator ranks)
    {
        var own = new Place { Version = Version ?? 0, Gpu = stream.Context.Uuid };
        var all = new Place[ranks.Size];
        ranks.AllGather(MemoryMarshal.AsBytes(new ReadOnlySpan<Place>(in own)), MemoryMarshal.AsBytes(all.AsSpan()));
        bool everywhere = all[0].Version != 0 && all.All(p => p.Version == all[0].Version);
        if (!everywhere || all.Select(p => p.Gpu).Distinct().Count() < ranks.Size) return null;
        try
        {
            return new Nccl(stream, ranks);
        }
        catch (CudaLibraryException e)
        {
            throw new AsniException($"{e.Message.TrimEnd('.')}; NCCL_DEBUG=INFO tells more, and 'reduce: host' does without NCCL.");
        }
    }

    /// <summary>Gives rank r the r-th part of what each has, in the order of the ranks that had it.</summary>
    /// <param name="parts">Device address of as many parts as there are ranks.</param>
    /// <param name="received">Device address of as many, elsewhere.</param>
    /// <param name="length">Of a part, in numbers.</param>
    public void AllToAll(ulong parts, ulong received, int length)
    {
        // One ncclAlltoAll is there from 2.28 on; these are what it does.
        Check(ncclGroupStart());
        int failed = 0;
        for (int rank = 0; rank < Size && failed == 0; rank++)
        {
            ulong at = (ulong)rank * (ulong)length * sizeof(float);
            failed = ncclSend(parts + at, (nuint)length, Float32, rank, _handle, _stream);
            if (failed == 0) failed = ncclRecv(received + at, (nuint)length, Float32, rank, _handle, _stream);
        }
        // Always, or the thread's later calls would wait for it.
        int ended = ncclGroupEnd();
        Check(failed == 0 ? ended : failed, "ncclSend");
    }

    /// <summary>Gives every rank what each has, in the order of the ranks.</summary>
    public void AllGather(ulong own, ulong all, int length) => Check(ncclAllGather(own, all, (nuint)length, Float32, _handle, _stream));

    /// <summary>Puts the sum over the ranks, in an order of NCCL's own, in place of the numbers.</summary>
    public void AllReduce(ulong numbers, int length) => Check(ncclAllReduce(numbers, numbers, (nuint)length, Float32, Sum, _handle, _stream));

    private void Check(int status, [CallerArgumentExpression(nameof(status))] string call = "")
    {
        if (status == 0) return;
        string? text = Marshal.PtrToStringUTF8(NativeLibraries.Exports(Library, nameof(ncclGetLastError)) ? ncclGetLastError(_handle) : ncclGetErrorString(status));
        throw new CudaLibraryException("NCCL", call, string.IsNullOrEmpty(text) ? Marshal.PtrToStringUTF8(ncclGetErrorString(status)) : text, status);
    }

    [LibraryImport(Library)] private static partial int ncclGetVersion(out int version);
    [LibraryImport(Library)] private static partial int ncclGetUniqueId(out UniqueId id);
    [LibraryImport(Library)] private static partial int ncclCommInitRank(out nint handle, int size, UniqueId id, int rank);
    [LibraryImport(Library)] private static partial nint ncclGetErrorString(int status);
    // From 2.13 on.
    [LibraryImport(Library)] private static partial nint ncclGetLastError(nint handle);
    [LibraryImport(Library)] private static partial int ncclGroupStart();
    [LibraryImport(Library)] private static partial int ncclGroupEnd();
    [LibraryImport(Library)] private static partial int ncclSend(ulong from, nuint count, int type, int to, nint handle, nint stream);
    [LibraryImport(Library)] private static partial int ncclRecv(ulong to, nuint count, int type, int from, nint handle, nint stream);
    [LibraryImport(Library)] private static partial int ncclAllGather(ulong own, ulong all, nuint count, int type, nint handle, nint stream);
    [LibraryImport(Library)] private static partial int ncclAllReduce(ulong from, ulong to, nuint count, int type, int operation, nint handle, nint stream);

    /// <summary>ncclUniqueId.</summary>
    [InlineArray(128)]
    private struct UniqueId
    {
        private byte _first;
    }

    /// <summary>What a rank has.</summary>
    private struct Place
    {
        public int Version;
        public Guid Gpu;
    }
}
