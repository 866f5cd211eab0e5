using System.Runtime.InteropServices;
using Asni.Distributed;
using static Asni.Mpi.MpiFunctions;

namespace Asni.Mpi;

/// <summary>Ranks over MPI. Calls come from one thread at a time, but for <see cref="Abort"/>, which Open MPI and MPICH take from any.</summary>
internal sealed unsafe class MpiCommunicator : Communicator
{
    private readonly MpiLibrary _library;
    private bool _over;

    private MpiCommunicator(MpiLibrary library, int rank, Launcher launcher) => (_library, Rank, Size, LocalSize, LocalRank) = (library, rank, launcher.Size, launcher.LocalSize, launcher.LocalRank);

    public override int Rank { get; }

    public override int Size { get; }

    public override int LocalSize { get; }

    public override int LocalRank { get; }

    /// <summary>The processes that a launcher started this one with.</summary>
    /// <param name="launcher">Null: none did.</param>
    /// <exception cref="AsniException">There is no MPI library, or it is not the launcher's, or that has none.</exception>
    public static Communicator Open(Launcher? launcher)
    {
        if (launcher is null || Environment.GetEnvironmentVariable(MpiLibrary.Variable) == "none") return Alone;
        if (launcher.Name == Launcher.Torchrun)
            throw new AsniException($"torchrun started {launcher.Size} processes and brings them no MPI, by which ranks of Asni find each other: use mpirun or srun, or set {MpiLibrary.Variable}=none for runs by themselves.");
        var library = MpiLibrary.Load(launcher);
        Check(MPI_Init_thread(null, null, library.Serialized, out int provided));
        Check(MPI_Comm_set_errhandler(library.World, library.ErrorsReturn));
        Check(MPI_Comm_rank(library.World, out int rank));
        Check(MPI_Comm_size(library.World, out int size));
        if (size != launcher.Size) throw new AsniException(Strangers(launcher, library, size));
        if (provided < library.Serialized) throw new AsniException($"{library.Name} was built without support for threads (MPI_THREAD_SERIALIZED); name another library in {MpiLibrary.Variable}.");
        return new MpiCommunicator(library, rank, launcher);
    }

    public override void Broadcast(Span<byte> bytes, int root)
    {
        fixed (byte* buffer = bytes) Check(MPI_Bcast(buffer, bytes.Length, _library.Byte, root, _library.World));
    }

    public override void AllGather(ReadOnlySpan<byte> own, Span<byte> all)
    {
        fixed (byte* from = own, to = all) Check(MPI_Allgather(from, own.Length, _library.Byte, to, own.Length, _library.Byte, _library.World));
    }

    public override void AllToAll(ReadOnlySpan<byte> parts, Span<byte> received)
    {
        int each = parts.Length / Size;
        fixed (byte* from = parts, to = received) Check(MPI_Alltoall(from, each, _library.Byte, to, each, _library.Byte, _library.World));
    }

    public override void Abort(int code)
    {
        _over = true;
        // Hydra drops what it has not read yet of what the ranks said.
        Thread.Sleep(500);
        _ = MPI_Abort(_library.World, code);
    }

    public override void Dispose()
    {
        if (!_over) _ = MPI_Finalize();
        _over = true;
        base.Dispose();
    }

    /// <summary>A process that another library's launcher started is alone to this one.</summary>
    private static string Strangers(Launcher launcher, MpiLibrary library, int size)
    {
        string seen = size == 1 ? "one" : FormattableString.Invariant($"{size}");
        return launcher.Name == Launcher.Slurm
            ? $"srun started {launcher.Size} tasks, and {library.Name} sees {seen}: add --mpi=pmix for Open MPI or --mpi=pmi2 for MPICH, or set {MpiLibrary.Variable}=none for runs by themselves."
            : $"{launcher.Name} started {launcher.Size}, and {library.Name} ({library.Kind}) sees {seen}: use the launcher of that library, or name the launcher's library in {MpiLibrary.Variable}.";
    }

    private static void Check(int code)
    {
        if (code == 0) return;
        byte* text = stackalloc byte[8192];
        _ = MPI_Error_string(code, text, out int length);
        throw new AsniException($"MPI: {Marshal.PtrToStringUTF8((nint)text, length).TrimEnd('.')}.");
    }
}
