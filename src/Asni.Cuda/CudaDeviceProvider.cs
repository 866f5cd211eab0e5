using Asni.Cuda.Driver;
using Asni.Cuda.Libraries;
using Asni.Devices;

namespace Asni.Cuda;

/// <summary>NVIDIA's GPUs, or the simulator of one.</summary>
public sealed class CudaDeviceProvider : IDeviceProvider
{
    public string Name => "cuda";
    public bool SupportsOrdinal => true;
    public int Count => CudaContext.DeviceCount();

    public IReadOnlyList<string> Precisions { get; } = [.. Enum.GetValues<CudaPrecision>().Select(p => p.ToString().ToLowerInvariant())];

    public string? GetUnavailableReason() => CudaDevice.GetUnavailableReason();

    public string? GetNotDefaultReason() => CudaDevice.IsSimulated ? "The CUDA driver that ASNI_CUDA_DRIVER names is the simulator." : null;

    public Device Open(DeviceOptions options) => new CudaDevice(options.Ordinal, Precision(options.Precision));

    public IReadOnlyList<(string Name, string Value)> Describe()
    {
        (string, string) kernels = ("GPU kernels", CudaDevice.KernelArchitectures.Count == 0
            ? "not in this build; 'apt-get install clang-19' (or the CUDA toolkit), then ./build.sh"
            : "PTX for " + string.Join(", ", CudaDevice.KernelArchitectures));
        if (GetUnavailableReason() is { } reason) return [("device " + Name, reason), kernels];
        using var device = new CudaDevice();
        return
        [
            ("device " + Name, device.Description + (CudaDevice.IsSimulated ? " (simulated)" : "")),
            kernels,
            ("GPU libraries", device.Libraries.Count == 0
                ? "none found, and none needed; folders with cuBLAS, cuDNN and NCCL may be named in ASNI_CUDA_LIBRARIES"
                : string.Join(", ", device.Libraries) + ", tried beside our own kernels"),
            ("NCCL", Nccl.VersionText ?? "not found, and needed only by ranks on a GPU each: without it their gradients go through the host's memory"),
        ];
    }

    private CudaPrecision Precision(string? name)
    {
        if (name is null) return CudaPrecision.Fp32;
        int at = Precisions.ToList().IndexOf(name);
        return at >= 0 ? Enum.GetValues<CudaPrecision>()[at] : throw new UsageException($"the precision '{name}' is not one of {string.Join(", ", Precisions)}.");
    }
}
