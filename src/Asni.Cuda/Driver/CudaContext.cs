using System.Runtime.InteropServices;
using Asni.Devices;

namespace Asni.Cuda.Driver;

/// <summary>A GPU that is in use: its primary context, and what the driver says of it.</summary>
internal sealed unsafe class CudaContext : IDisposable
{
    /// <summary>What the embedded PTX asks of the driver: PTX 8.0 came with CUDA 12.0.</summary>
    public const int OldestDriver = 12000;

    /// <summary>The kernels use Ampere's instructions.</summary>
    public static readonly Version OldestCapability = new(8, 0);

    [ThreadStatic] private static CudaContext? t_current;

    private readonly int _device;
    private nint _handle;

    private CudaContext(int ordinal, int device)
    {
        Ordinal = ordinal;
        _device = device;
        byte* name = stackalloc byte[256];
        CudaException.Check(Cuda.cuDeviceGetName(name, 256, device));
        Name = Marshal.PtrToStringUTF8((nint)name) ?? "";
        Capability = new Version(Attribute(CudaAttribute.ComputeCapabilityMajor), Attribute(CudaAttribute.ComputeCapabilityMinor));
        CudaException.Check(Cuda.cuDeviceTotalMem_v2(out nuint total, device));
        TotalMemory = (long)total;
        IsSimulator = NativeLibrary.TryGetExport(NativeLibraries.Load(NativeLibraries.Driver), "asniSimLastError", out _);
    }

    public int Ordinal { get; }
    public string Name { get; }

    /// <summary>Compute capability: 9.0 is Hopper.</summary>
    public Version Capability { get; }

    /// <summary>Bytes.</summary>
    public long TotalMemory { get; }

    /// <summary>16 bytes that no other GPU has; slices of one (MIG) have the same.</summary>
    public Guid Uuid
    {
        get
        {
            CudaException.Check(Cuda.cuDeviceGetUuid(out Guid uuid, _device));
            return uuid;
        }
    }

    /// <summary>Whether the driver is Asni's simulator.</summary>
    public bool IsSimulator { get; }

    public int MultiprocessorCount => Attribute(CudaAttribute.MultiprocessorCount);

    /// <summary>The most dynamic shared memory that a kernel may opt in to, in bytes.</summary>
    public int MaxSharedBytes => Attribute(CudaAttribute.MaxSharedMemoryPerBlockOptin);

    /// <summary>Bytes free at this moment, by the driver's account.</summary>
    public long FreeMemory
    {
        get
        {
            MakeCurrent();
            CudaException.Check(Cuda.cuMemGetInfo_v2(out nuint free, out _));
            return (long)free;
        }
    }

    /// <summary>The driver's version as CUDA counts: 12040 is CUDA 12.4.</summary>
    /// <exception cref="DeviceUnavailableException">There is no driver.</exception>
    public static int DriverVersion()
    {
        RequireDriver();
        CudaException.Check(Cuda.cuDriverGetVersion(out int version));
        return version;
    }

    /// <summary>The number of GPUs.</summary>
    /// <exception cref="DeviceUnavailableException">No driver, or one that is too old.</exception>
    /// <exception cref="CudaException">The driver does not start.</exception>
    public static int DeviceCount()
    {
        RequireVersion(DriverVersion());
        int started = Cuda.cuInit(0);
        if (started == CudaException.NoDevice) return 0;
        CudaException.Check(started, nameof(Cuda.cuInit));
        CudaException.Check(Cuda.cuDeviceGetCount(out int count));
        return count;
    }

    /// <summary>Opens a GPU for use by this process; every context of one GPU shares its memory.</summary>
    /// <exception cref="DeviceUnavailableException">No driver, no GPU, or one that is too old.</exception>
    /// <exception cref="AsniException">No GPU of this number.</exception>
    public static CudaContext Open(int ordinal = 0)
    {
        int count = DeviceCount();
        if (count == 0) throw Unusable("The CUDA driver finds no GPU; see what nvidia-smi says.");
        if (ordinal < 0 || ordinal >= count)
        {
            string known = count == 1 ? "one GPU, number 0" : $"{count} GPUs, numbers 0 to {count - 1}";
            throw new AsniException($"There is no GPU number {ordinal}: the CUDA driver finds {known}.");
        }
        CudaException.Check(Cuda.cuDeviceGet(out int device, ordinal));
        var context = new CudaContext(ordinal, device);
        RequireCapability(context.Name, context.Capability);
        CudaException.Check(Cuda.cuDevicePrimaryCtxRetain(out context._handle, device));
        context.MakeCurrent();
        return context;
    }

    /// <summary>Why no GPU can be used, in one sentence; null when GPU 0 can.</summary>
    public static string? GetUnavailableReason()
    {
        try
        {
            using CudaContext context = Open();
            return null;
        }
        catch (AsniException e)
        {
            return e.Message;
        }
    }

    /// <exception cref="DeviceUnavailableException">The driver is older than the kernels need.</exception>
    internal static void RequireVersion(int version)
    {
        if (version >= OldestDriver) return;
        static string Name(int number) => $"{number / 1000}.{number % 1000 / 10}";
        throw Unusable($"The CUDA driver is for CUDA {Name(version)} and Asni needs {Name(OldestDriver)}: install NVIDIA's driver 525 or newer.");
    }

    /// <exception cref="DeviceUnavailableException">The GPU is older than the kernels need.</exception>
    internal static void RequireCapability(string name, Version capability)
    {
        if (capability >= OldestCapability) return;
        throw Unusable($"{name} has compute capability {capability} and Asni's kernels need {OldestCapability} (Ampere) or newer; use a newer GPU.");
    }

    /// <summary>One of the device's properties.</summary>
    public int Attribute(CudaAttribute attribute)
    {
        CudaException.Check(Cuda.cuDeviceGetAttribute(out int value, (int)attribute, _device));
        return value;
    }

    /// <summary>Makes the calling thread's driver calls go to this GPU; the classes of this folder do it themselves.</summary>
    public void MakeCurrent()
    {
        ObjectDisposedException.ThrowIf(_handle == 0, this);
        if (t_current == this) return;
        CudaException.Check(Cuda.cuCtxSetCurrent(_handle));
        t_current = this;
    }

    /// <summary>Waits for everything that was given to the GPU.</summary>
    public void Synchronize()
    {
        MakeCurrent();
        CudaException.Check(Cuda.cuCtxSynchronize());
    }

    public void Dispose()
    {
        if (_handle == 0) return;
        _handle = 0;
        Cuda.cuDevicePrimaryCtxRelease_v2(_device);
    }

    /// <summary>Why no GPU of this machine can be used.</summary>
    internal static DeviceUnavailableException Unusable(string why) => new("cuda", why);

    private static void RequireDriver()
    {
        if (NativeLibraries.Load(NativeLibraries.Driver) == 0) throw Unusable(NativeLibraries.NoDriver());
    }
}

/// <summary>Properties of a device, by the driver's numbers (CUdevice_attribute).</summary>
internal enum CudaAttribute
{
    ClockRate = 13,
    MultiprocessorCount = 16,
    MemoryClockRate = 36,
    GlobalMemoryBusWidth = 37,
    L2CacheSize = 38,
    MaxThreadsPerMultiprocessor = 39,
    ComputeCapabilityMajor = 75,
    ComputeCapabilityMinor = 76,
    MaxSharedMemoryPerMultiprocessor = 81,
    MaxSharedMemoryPerBlockOptin = 97,
}
