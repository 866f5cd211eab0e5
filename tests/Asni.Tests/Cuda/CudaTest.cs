using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using Asni.Cuda.Driver;

namespace Asni.Tests.Cuda;

/// <summary>
/// Which CUDA driver the tests run on: what ASNI_CUDA_DRIVER names, else NVIDIA's when it finds a GPU, else the simulator when it is built.
/// </summary>
internal static unsafe class CudaTest
{
    private static readonly Lazy<string?> s_unavailable = new(CudaContext.GetUnavailableReason);

    // Held from test to test: a GPU takes long to make its context anew.
    private static CudaContext? s_held;

    /// <summary>Where CMake puts the simulator; null when it is not there.</summary>
    public static string? SimulatorPath { get; } = FindSimulator();

    /// <summary>A context on the driver's first GPU; the test is skipped when there is neither GPU nor simulator.</summary>
    public static CudaContext Open()
    {
        if (s_unavailable.Value is { } reason)
            Assert.Ignore($"{reason} The simulator is not built: cmake -S . -B build/native && cmake --build build/native (needs CMake and a C++ compiler).");
        Hold();
        return CudaContext.Open();
    }

    /// <summary>Keeps a GPU's context from the first test to the last; one that an error has ended is let go, so that the next test gets a new one.</summary>
    public static void Hold()
    {
        try
        {
            s_held?.Synchronize();
        }
        catch (CudaException)
        {
            s_held!.Dispose();
            s_held = null;
        }
        if (s_held is not null) return;
        CudaContext context = CudaContext.Open();
        if (context.IsSimulator) context.Dispose();
        else s_held = context;
    }

    /// <summary>A context on the simulator; the test is skipped on anything else.</summary>
    public static CudaContext OpenSimulator()
    {
        CudaContext context = Open();
        try
        {
            RequireSimulator(context);
        }
        catch
        {
            context.Dispose();
            throw;
        }
        return context;
    }

    /// <summary>Skips the test on a GPU.</summary>
    public static void RequireSimulator(CudaContext context)
    {
        if (!context.IsSimulator) Assert.Ignore("The test is about the simulator, and the driver is NVIDIA's.");
    }

    /// <summary>Skips the test where the build has no kernels for GPUs.</summary>
    public static void RequirePtx()
    {
        if (Ptx.Architectures().Length == 0) Assert.Ignore("No PTX is embedded; install clang 19 or nvcc and run ./build.sh.");
    }

    /// <summary>The order of threads and blocks, and the fill patterns, of launches from now on.</summary>
    public static void SetSeed(ulong seed) => ((delegate* unmanaged<ulong, void>)Export("asniSimSetSeed"))(seed);

    /// <param name="bytes">Of device memory that allocations may take together; 0: as many as when the process started.</param>
    public static void SetMemoryLimit(long bytes) => ((delegate* unmanaged<ulong, void>)Export("asniSimSetMemoryLimit"))((ulong)bytes);

    /// <summary>Whether accesses to shared memory are checked for races and uninitialised values; they are unless told otherwise.</summary>
    public static void SetChecks(bool on) => ((delegate* unmanaged<int, void>)Export("asniSimSetChecks"))(on ? 1 : 0);

    /// <summary>How long one launch may take before it is an error.</summary>
    public static void SetTimeLimit(TimeSpan limit) => ((delegate* unmanaged<ulong, void>)Export("asniSimSetTimeLimit"))((ulong)limit.TotalMilliseconds);

    private static nint Export(string name) => NativeLibrary.GetExport(NativeLibraries.Load(NativeLibraries.Driver), name);

    // Before any test, and before any list of test cases that asks for a CUDA device.
#pragma warning disable CA2255 // a module initializer in a library: this library is the program's tests
    [ModuleInitializer]
#pragma warning restore CA2255
    internal static void ChooseDriver()
    {
        // Timing the tiles of every small layer would take long and fill the user's cache with them; the tuner has its own tests.
        if (Environment.GetEnvironmentVariable("ASNI_AUTOTUNE") == null) Environment.SetEnvironmentVariable("ASNI_AUTOTUNE", "0");
        if (NativeLibraries.DriverOverride == null && SimulatorPath != null && !HasGpu()) Environment.SetEnvironmentVariable("ASNI_CUDA_DRIVER", SimulatorPath);
    }

    private static bool HasGpu()
    {
        if (!NativeLibrary.TryLoad(NativeLibraries.Candidates(NativeLibraries.Driver)[0], out nint driver)) return false;
        int count = 0;
        return ((delegate* unmanaged<uint, int>)NativeLibrary.GetExport(driver, "cuInit"))(0) == 0
            && ((delegate* unmanaged<int*, int>)NativeLibrary.GetExport(driver, "cuDeviceGetCount"))(&count) == 0 && count > 0;
    }

    private static string? FindSimulator()
    {
        for (string? folder = AppContext.BaseDirectory; folder != null; folder = Path.GetDirectoryName(folder))
        {
            if (!File.Exists(Path.Combine(folder, "Asni.sln"))) continue;
            string path = Path.Combine(folder, "build", "native", "libasni_cuda_simulator.so");
            return File.Exists(path) ? path : null;
        }
        return null;
    }
}
