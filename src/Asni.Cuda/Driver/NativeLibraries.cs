using System.Reflection;
using System.Runtime.InteropServices;

namespace Asni.Cuda.Driver;

/// <summary>Finds NVIDIA's libraries under the names they have on this system.</summary>
internal static class NativeLibraries
{
    /// <summary>The driver, or what ASNI_CUDA_DRIVER names in its place (the simulator, in the tests).</summary>
    public const string Driver = "cuda";

    /// <summary>Libraries that are used where they are: matrix products, convolutions, and exchange between GPUs.</summary>
    public const string CuBlas = "cublas", CuDnn = "cudnn", Nccl = "nccl";

    private static readonly Lock s_lock = new();
    private static readonly Dictionary<string, nint> s_handles = [];
    private static bool s_registered;

    /// <summary>The value of ASNI_CUDA_DRIVER; null when it is not set.</summary>
    public static string? DriverOverride => Environment.GetEnvironmentVariable("ASNI_CUDA_DRIVER") is { Length: > 0 } path ? path : null;

    private static string Libraries => Environment.GetEnvironmentVariable("ASNI_CUDA_LIBRARIES") ?? "";

    /// <summary>
    /// Folders where these libraries are looked for before the system's own places: ASNI_CUDA_LIBRARIES, as PATH writes folders. "none": they are not
    /// looked for at all.
    /// </summary>
    public static string[] Folders => Libraries.Split(Path.PathSeparator, StringSplitOptions.RemoveEmptyEntries);

    /// <summary>The names under which a library is looked for, newest first. What stands in for the driver stands in for all of them.</summary>
    public static string[] Candidates(string library)
    {
        bool windows = OperatingSystem.IsWindows();
        string[] names = library switch
        {
            CuBlas or CuDnn or Nccl when Libraries == "none" => [],
            CuBlas or CuDnn or Nccl or Driver when DriverOverride is { } path => [path],
            Driver => windows ? ["nvcuda.dll"] : ["libcuda.so.1"],
            CuBlas => windows ? ["cublas64_13.dll", "cublas64_12.dll"] : ["libcublas.so.13", "libcublas.so.12"],
            CuDnn => windows ? ["cudnn64_9.dll"] : ["libcudnn.so.9"],
            // For Linux alone.
            Nccl => windows ? [] : ["libnccl.so.2"],
            _ => [library],
        };
        bool optional = library is CuBlas or CuDnn or Nccl && DriverOverride is null && names.Length > 0;
        return optional ? [.. Folders.SelectMany(folder => names.Select(name => Path.Combine(folder, name))), .. names] : names;
    }

    /// <summary>Whether the library is there and has this function.</summary>
    public static bool Exports(string library, string function) => Load(library) is var handle and not 0 && NativeLibrary.TryGetExport(handle, function, out _);

    /// <summary>The sentence for a driver that is not there.</summary>
    public static string NoDriver() => DriverOverride is { } path
        ? $"ASNI_CUDA_DRIVER is '{path}', which cannot be loaded as a CUDA driver; name another file or unset it."
        : $"No CUDA driver was found (looked for {string.Join(", ", Candidates(Driver))}); install NVIDIA's driver.";

    /// <summary>Makes this assembly's imports go through here; once is enough.</summary>
    public static void Register()
    {
        lock (s_lock)
        {
            if (s_registered) return;
            NativeLibrary.SetDllImportResolver(typeof(NativeLibraries).Assembly, Resolve);
            s_registered = true;
        }
    }

    /// <summary>The library's handle, 0 when it is not there.</summary>
    public static nint Load(string library)
    {
        lock (s_lock)
        {
            if (s_handles.TryGetValue(library, out nint handle)) return handle;
            foreach (string candidate in Candidates(library))
                if (NativeLibrary.TryLoad(candidate, out handle)) break;
            if (handle != 0) s_handles[library] = handle;
            return handle;
        }
    }

    // 0 lets the runtime try its own way, which ends in a DllNotFoundException.
    private static nint Resolve(string library, Assembly assembly, DllImportSearchPath? path) => Load(library);
}
