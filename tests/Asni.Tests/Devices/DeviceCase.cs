using Asni.Cpu;
using Asni.Cuda;
using Asni.Devices;
using Asni.Tests.Cuda;
using Asni.Tests.Reference;

namespace Asni.Tests.Devices;

/// <summary>A device that every device test runs on. A new device is one more line in <see cref="All"/>.</summary>
public sealed record DeviceCase(string Name, Func<Device> Create)
{
    public static DeviceCase[] All { get; } =
    [
        new("cpu, 1 thread", () => new CpuDevice(1)),
        new("cpu, 2 threads", () => new CpuDevice(2)),
        .. CudaDevice.Unavailable() is null ? (DeviceCase[])[new("cuda", OpenCuda)] : [],
    ];

    private static CudaDevice OpenCuda()
    {
        CudaTest.Hold();
        return new CudaDevice();
    }

    internal Workbench Open() => new(Create());

    internal static Workbench OpenReference() => new(new ReferenceDevice());

    public override string ToString() => Name;
}
