using System.Runtime.InteropServices;
using System.Text.RegularExpressions;

namespace Asni.Mpi;

/// <summary>
/// The MPI library of this machine. Libraries have one of three binary interfaces, which differ in what handles are: in Open MPI the addresses of exported objects, in MPICH and those that
/// share its interface fixed integers, and others in that of the standard since MPI 5.0. Handles are <see cref="nint"/> here, which calling conventions of 64-bit machines allow where C has int.
/// </summary>
internal sealed unsafe class MpiLibrary
{
    /// <summary>Names the library, or is "none".</summary>
    public const string Variable = "ASNI_MPI";

    private static readonly string[] s_openMpi = ["libmpi.so.40"], s_others = ["libmpich.so.12", "libmpi.so.12"], s_standard = ["libmpi_abi.so.0"];

    private MpiLibrary(string name, nint handle)
    {
        Name = name;
        if (NativeLibrary.TryGetExport(handle, "ompi_mpi_comm_world", out nint world))
            (Kind, World, Byte, ErrorsReturn) = ("Open MPI", world, NativeLibrary.GetExport(handle, "ompi_mpi_byte"), NativeLibrary.GetExport(handle, "ompi_mpi_errors_return"));
        else if (Path.GetFileName(name).StartsWith("libmpi_abi", StringComparison.Ordinal))
            (Kind, World, Byte, ErrorsReturn, Serialized) = ("MPI's standard interface", 0x101, 0x247, 0x143, 2048);
        else
            (Kind, World, Byte, ErrorsReturn) = ("MPICH", 0x44000000, 0x4c00010d, 0x54000001);
    }

    public string Name { get; }

    /// <summary>Of the interface.</summary>
    public string Kind { get; }

    public nint World { get; }
    public nint Byte { get; }
    public nint ErrorsReturn { get; }

    /// <summary>The level of support for calls from one thread at a time.</summary>
    public int Serialized { get; } = 2;

    /// <summary>The libraries that are there, in words, with their versions.</summary>
    public static string Describe()
    {
        string? named = Environment.GetEnvironmentVariable(Variable);
        if (named == "none") return $"{Variable}=none: each process is a run of its own";
        LeaveSignals();
        string[] names = !string.IsNullOrEmpty(named) ? [named] : [.. s_openMpi, .. s_others, .. s_standard];
        var found = new List<string>();
        foreach (string name in names)
        {
            if (!NativeLibrary.TryLoad(name, out nint handle) || !NativeLibrary.TryGetExport(handle, "MPI_Get_library_version", out nint version)) continue;
            found.Add($"{new MpiLibrary(name, handle).Kind} {VersionOf((delegate* unmanaged<byte*, int*, int>)version)} ({name})");
        }
        return found.Count > 0 ? string.Join(", ", found) : $"none found ({string.Join(", ", names)}); install Open MPI or MPICH, or name a library in {Variable}";
    }

    /// <summary>The number in what a library says of itself, which may be asked before MPI is initialized.</summary>
    private static string VersionOf(delegate* unmanaged<byte*, int*, int> ask)
    {
        byte* text = stackalloc byte[8192];
        int length = 0;
        if (ask(text, &length) != 0) return "";
        return Regex.Match(Marshal.PtrToStringUTF8((nint)text, length), @"\d+(\.\d+)+").Value;
    }

    /// <summary>Slurm's --mpi=pmix is Open MPI's way to its ranks, --mpi=pmi2 MPICH's.</summary>
    private static bool IsOpenMpis(Launcher launcher) =>
        launcher.Name.StartsWith("Open MPI", StringComparison.Ordinal) || (launcher.Name == Launcher.Slurm && Environment.GetEnvironmentVariable("PMIX_NAMESPACE") is not null);

    /// <summary>UCX, over which many libraries send, would catch the signal by which .NET finds null references. Environment.SetEnvironmentVariable does not reach C.</summary>
    private static void LeaveSignals()
    {
        if (!OperatingSystem.IsWindows()) _ = MpiFunctions.setenv("UCX_ERROR_SIGNALS", "", 1);
    }

    /// <param name="launcher">Whose library is looked for first.</param>
    /// <exception cref="AsniException">None is there.</exception>
    public static MpiLibrary Load(Launcher launcher)
    {
        LeaveSignals();
        string? named = Environment.GetEnvironmentVariable(Variable);
        string[] names = !string.IsNullOrEmpty(named) ? [named] : IsOpenMpis(launcher) ? [.. s_openMpi, .. s_others, .. s_standard] : [.. s_others, .. s_openMpi, .. s_standard];
        foreach (string name in names)
        {
            if (!NativeLibrary.TryLoad(name, out nint handle)) continue;
            NativeLibrary.SetDllImportResolver(typeof(MpiFunctions).Assembly, (wanted, _, _) => wanted == MpiFunctions.Library ? handle : 0);
            return new MpiLibrary(name, handle);
        }
        throw new AsniException($"started as one of {launcher.Size} by {launcher.Name}, but no MPI library was found ({string.Join(", ", names)}); install one, such as libopenmpi3, or name it in {Variable}.");
    }
}
