using System.Runtime.InteropServices;

namespace Asni.Mpi;

/// <summary>The functions of MPI that are used, under their own names.</summary>
internal static unsafe partial class MpiFunctions
{
    public const string Library = "mpi";

    [LibraryImport("libc", StringMarshalling = StringMarshalling.Utf8)]
    public static partial int setenv(string name, string value, int overwrite);

    [LibraryImport(Library)]
    public static partial int MPI_Init_thread(int* argc, byte*** argv, int required, out int provided);

    [LibraryImport(Library)]
    public static partial int MPI_Finalize();

    [LibraryImport(Library)]
    public static partial int MPI_Abort(nint world, int code);

    [LibraryImport(Library)]
    public static partial int MPI_Comm_rank(nint world, out int rank);

    [LibraryImport(Library)]
    public static partial int MPI_Comm_size(nint world, out int size);

    [LibraryImport(Library)]
    public static partial int MPI_Comm_set_errhandler(nint world, nint handler);

    [LibraryImport(Library)]
    public static partial int MPI_Error_string(int code, byte* text, out int length);

    [LibraryImport(Library)]
    public static partial int MPI_Bcast(void* buffer, int count, nint type, int root, nint world);

    [LibraryImport(Library)]
    public static partial int MPI_Allgather(void* own, int ownCount, nint ownType, void* all, int eachCount, nint eachType, nint world);

    [LibraryImport(Library)]
    public static partial int MPI_Alltoall(void* parts, int partCount, nint partType, void* received, int eachCount, nint eachType, nint world);
}
