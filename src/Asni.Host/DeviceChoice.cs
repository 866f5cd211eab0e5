using System.CommandLine;
using System.Globalization;
using Asni.Cpu;
using Asni.Cuda;
using Asni.Devices;

namespace Asni.Host;

/// <summary>A device as asked for. <paramref name="Gpu"/>: its number; null: the CPU. <paramref name="Note"/>: why auto took the CPU.</summary>
internal sealed record DeviceRequest(int? Gpu, CudaPrecision Precision, int Threads, string? Note)
{
    /// <summary>The flags that ask for the same device again.</summary>
    public DeviceWords Words => new(Gpu is { } n ? string.Create(CultureInfo.InvariantCulture, $"cuda:{n}") : "cpu", Precision.ToString().ToLowerInvariant(),
        Threads.ToString(CultureInfo.InvariantCulture));

    /// <exception cref="AsniException">No such GPU, or one that cannot be used: one sentence with the remedy.</exception>
    public Device Open() => Gpu is { } ordinal ? new CudaDevice(ordinal, Precision) : new CpuDevice(Threads);
}

/// <summary>What --device, --precision and --threads said; null where they were left out.</summary>
internal sealed record DeviceWords(string? Device, string? Precision, string? Threads);

/// <summary>--device, --precision and --threads.</summary>
internal sealed class DeviceChoice
{
    private static readonly string[] s_names = ["auto", "cpu", "cuda"];

    private readonly Option<string> _device = new("--device")
    {
        Description = "auto, cpu, cuda (or gpu) or cuda:N; auto is a GPU when one can be used",
        HelpName = "device",
    };
    private readonly Option<string> _precision = new("--precision")
    {
        Description = "fp32, tf32 or bf16, on a GPU",
        HelpName = "precision",
    };
    private readonly Option<string> _threads = new("--threads")
    {
        Description = "threads of the CPU device; all processors when absent",
        HelpName = "n",
    };

    public void AddTo(Command command)
    {
        command.Add(_device);
        command.Add(_precision);
        command.Add(_threads);
    }

    /// <exception cref="UsageException">No such device, precision, or number of threads.</exception>
    /// <param name="before">Stands in for flags that are not given.</param>
    public DeviceRequest Parse(ParseResult parsed, DeviceWords? before = null)
    {
        int threads = Threads(parsed.GetValue(_threads) ?? before?.Threads);
        string asked = parsed.GetValue(_device) ?? before?.Device ?? "auto";
        string? given = parsed.GetValue(_precision) ?? before?.Precision;
        CudaPrecision? precision = Precision(given);
        // What other tools call it.
        string name = asked == "gpu" || asked.StartsWith("gpu:", StringComparison.Ordinal) ? "cuda" + asked["gpu".Length..] : asked;
        if (name.StartsWith("cuda", StringComparison.Ordinal) && Ordinal(name) is { } ordinal) return new(ordinal, precision ?? CudaPrecision.Fp32, threads, null);
        if (!s_names.Contains(name))
            throw new UsageException($"--device '{asked}' is not one of {string.Join(", ", s_names)}, cuda:N{Suggestion.For(name, s_names)}.");
        string? reason = name == "cpu" ? null : WhyNoGpu();
        if (name == "auto" && reason is null) return new(0, precision ?? CudaPrecision.Fp32, threads, null);
        if (precision is not null && precision != CudaPrecision.Fp32)
            throw new UsageException($"--precision {given} needs a GPU: the CPU computes in fp32{(reason is null ? "" : ". " + reason.TrimEnd('.'))}.");
        return new(null, CudaPrecision.Fp32, threads, reason);
    }

    /// <summary>In one sentence, why auto takes no GPU; null when it does.</summary>
    public static string? WhyNoGpu() =>
        CudaDevice.Unavailable() is { } why ? Remedies.WithoutDevice(why)
        : CudaDevice.IsSimulated ? "The CUDA driver that ASNI_CUDA_DRIVER names is the simulator, which --device cuda asks for." : null;

    /// <summary>"cuda" is the first GPU, "cuda:2" the third; null when the text is neither.</summary>
    private static int? Ordinal(string name)
    {
        if (name == "cuda") return 0;
        return name.StartsWith("cuda:", StringComparison.Ordinal) && int.TryParse(name.AsSpan(5), NumberStyles.None, CultureInfo.InvariantCulture, out int ordinal)
            ? ordinal
            : null;
    }

    private static CudaPrecision? Precision(string? text)
    {
        if (text is null) return null;
        string[] names = [.. Enum.GetNames<CudaPrecision>().Select(n => n.ToLowerInvariant())];
        int at = Array.IndexOf(names, text);
        if (at < 0) throw new UsageException($"--precision '{text}' is not one of {string.Join(", ", names)}{Suggestion.For(text, names)}.");
        return Enum.GetValues<CudaPrecision>()[at];
    }

    private static int Threads(string? text)
    {
        if (text is null) return Environment.ProcessorCount;
        if (!int.TryParse(text, out int threads) || threads is < 1 or > 1024)
            throw new UsageException($"--threads '{text}' is not a number from 1 to 1024.");
        return threads;
    }
}
