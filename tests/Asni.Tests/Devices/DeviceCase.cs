using System.Collections.Concurrent;
using Asni.Cpu;
using Asni.Cuda;
using Asni.Cuda.Driver;
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
        .. CudaDevice.GetUnavailableReason() is null ? (DeviceCase[])[new("cuda", OpenCuda) { IsReused = true }] : [],
    ];

    private static CudaDevice OpenCuda()
    {
        CudaTest.Hold();
        return new CudaDevice();
    }

    // A CUDA device reads the code of all kernels when it opens, which takes longer than most of the tests that want one.
    private static readonly ConcurrentBag<CudaDevice> s_idle = [];

    private bool IsReused { get; init; }

    /// <summary>
    /// The device with nothing on it. A CUDA device may be one that an earlier test has done with; a fixture that opens any is a <see cref="DeviceTests"/>.
    /// </summary>
    internal Workbench Open()
    {
        if (IsReused && Type.GetType(TestContext.CurrentContext.Test.ClassName!) is { } fixture && !fixture.IsAssignableTo(typeof(DeviceTests)))
            throw new InvalidOperationException($"the device that {fixture.Name} opens would outlive it: derive it from {nameof(DeviceTests)}");
        while (IsReused && s_idle.TryTake(out CudaDevice? idle))
        {
            try
            {
                idle.Stream.Synchronize();
                return Reusable(idle);
            }
            catch (CudaException)
            {
                // A launch that failed ends a context, and whatever was made of it.
                idle.Dispose();
            }
        }
        Device opened = Create();
        return IsReused ? Reusable((CudaDevice)opened) : new Workbench(opened);
    }

    private static Workbench Reusable(CudaDevice device) => new(device, () => s_idle.Add(device));

    /// <summary>Lets go of the devices that no test has at present.</summary>
    internal static void CloseIdle()
    {
        while (s_idle.TryTake(out CudaDevice? idle)) idle.Dispose();
    }

    internal static Workbench OpenReference() => new(new ReferenceDevice());

    public override string ToString() => Name;
}

/// <summary>Tests that open a <see cref="DeviceCase"/>: none of its devices outlives the fixture, for those that are about contexts.</summary>
public abstract class DeviceTests
{
    [OneTimeTearDown]
    public void CloseIdleDevices() => DeviceCase.CloseIdle();
}
