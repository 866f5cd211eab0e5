using Asni.Devices;

namespace Asni.Cpu;

/// <summary>The CPU, which every machine has.</summary>
public sealed class CpuDeviceProvider : IDeviceProvider
{
    public string Name => "cpu";
    public bool SupportsOrdinal => false;
    public IReadOnlyList<string> Precisions { get; } = ["fp32"];

    public string? GetUnavailableReason() => null;

    public Device Open(DeviceOptions options) => new CpuDevice(options.Threads);

    public IReadOnlyList<(string Name, string Value)> Describe()
    {
        using var device = new CpuDevice();
        return [("device " + Name, device.Description)];
    }
}
