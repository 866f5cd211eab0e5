using System.CommandLine;
using System.Globalization;
using Asni.Cpu;
using Asni.Cuda;
using Asni.Devices;
using Asni.Distributed;

namespace Asni.Host;

/// <summary>The kinds of device, those first that are taken before others.</summary>
internal static class DeviceProviders
{
    public static IReadOnlyList<IDeviceProvider> All { get; } = [new CudaDeviceProvider(), new CpuDeviceProvider()];
}

/// <summary>A device as asked for. <paramref name="Note"/>: why auto took none that comes before it; null when it did, or another was asked for.</summary>
internal sealed record DeviceRequest(IDeviceProvider Provider, DeviceOptions Options, string? Note)
{
    /// <summary>Its number is the rank's and not the run's.</summary>
    private bool IsByRank { get; init; }

    /// <summary>Ranks of one machine take its devices of this kind in turn, unless one was named by its number.</summary>
    public DeviceRequest For(Communicator ranks) => ranks.Size == 1 || !Provider.SupportsOrdinal ? this
        : this with { Options = Options with { Ordinal = ranks.LocalRank % Math.Max(1, Provider.Count) }, IsByRank = true };

    public int Threads => Options.Threads;

    /// <summary>The flags that ask for the same device again.</summary>
    public DeviceWords Words => new(Provider.SupportsOrdinal && !IsByRank ? string.Create(CultureInfo.InvariantCulture, $"{Provider.Name}:{Options.Ordinal}") : Provider.Name,
        Options.Precision ?? Provider.Precisions[0], Threads.ToString(CultureInfo.InvariantCulture));

    /// <exception cref="AsniException">This machine has no such device, or one that cannot be used.</exception>
    public Device Open() => Provider.Open(Options);
}

/// <summary>What --device, --precision and --threads said; null where they were left out.</summary>
internal sealed record DeviceWords(string? Device, string? Precision, string? Threads);

/// <summary>--device, --precision and --threads.</summary>
internal sealed class DeviceChoice
{
    private const string Auto = "auto";

    private static readonly string[] s_names = [Auto, .. DeviceProviders.All.Select(p => p.Name)];
    private static readonly string[] s_precisions = [.. DeviceProviders.All.SelectMany(p => p.Precisions).Distinct()];

    private readonly Option<string> _device = new("--device")
    {
        Description = $"device: {string.Join(", ", s_names)}, cuda:N (the GPU of that number); auto takes a GPU when one can be used",
        HelpName = "device",
    };
    private readonly Option<string> _precision = new("--precision")
    {
        Description = $"precision of computation: {string.Join(", ", s_precisions)}; all but {DeviceProviders.All[^1].Precisions[0]} need a GPU",
        HelpName = "precision",
    };
    private readonly Option<string> _threads = new("--threads")
    {
        Description = "threads of the CPU device (default: all processors)",
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
    /// <param name="among">Of which this process is one.</param>
    public DeviceRequest Parse(ParseResult parsed, DeviceWords? before, Communicator among)
    {
        string? given = parsed.GetValue(_device);
        DeviceRequest request = Parse(parsed, before);
        return given?.Contains(':') == true ? request : request.For(among);
    }

    /// <inheritdoc cref="Parse(ParseResult, DeviceWords?, Communicator)"/>
    public DeviceRequest Parse(ParseResult parsed, DeviceWords? before = null)
    {
        string asked = parsed.GetValue(_device) ?? before?.Device ?? Auto;
        string? precision = parsed.GetValue(_precision) ?? before?.Precision;
        var options = new DeviceOptions { Precision = precision, Threads = Threads(parsed.GetValue(_threads) ?? before?.Threads) };
        if (precision is not null && !s_precisions.Contains(precision))
            throw new UsageException($"--precision '{precision}' is not one of {string.Join(", ", s_precisions)}{Suggestion.For(precision, s_precisions)}.");
        // What other tools call it.
        string name = asked == "gpu" || asked.StartsWith("gpu:", StringComparison.Ordinal) ? "cuda" + asked["gpu".Length..] : asked;
        DeviceRequest request = name == Auto ? Best(options) : Named(name, options)
            ?? throw new UsageException($"--device '{asked}' is not one of {string.Join(", ", s_names)}, cuda:N{Suggestion.For(name, s_names)}.");
        if (precision is not null && !request.Provider.Precisions.Contains(precision))
        {
            IDeviceProvider other = DeviceProviders.All.First(p => p.Precisions.Contains(precision));
            string why = name == Auto && other.GetUnavailableReason() is { } reason ? " " + reason : "";
            throw new UsageException($"--precision {precision} needs --device {other.Name}: {request.Provider.Name} computes in {string.Join(", ", request.Provider.Precisions)}.{why}");
        }
        return request;
    }

    /// <summary>The first kind of device that this machine has; the note says what is against those before it.</summary>
    public static DeviceRequest Best(DeviceOptions options)
    {
        string? note = null;
        foreach (IDeviceProvider provider in DeviceProviders.All)
        {
            string? against = provider.GetUnavailableReason() is { } why ? Remedies.WithoutDevice(why)
                : provider.GetNotDefaultReason() is { } unasked ? Remedies.AskForDevice(unasked, provider.Name) : null;
            if (against is null) return new(provider, options, note);
            note ??= against;
        }
        throw new InvalidOperationException("no device: the CPU is always there");
    }

    /// <summary>"cuda" is the first GPU, "cuda:2" the third; null when no device is called so.</summary>
    private static DeviceRequest? Named(string name, DeviceOptions options)
    {
        string[] parts = name.Split(':', 2);
        if (DeviceProviders.All.FirstOrDefault(p => p.Name == parts[0]) is not { } provider) return null;
        if (parts.Length == 1) return new(provider, options, null);
        return provider.SupportsOrdinal && int.TryParse(parts[1], NumberStyles.None, CultureInfo.InvariantCulture, out int ordinal)
            ? new(provider, options with { Ordinal = ordinal }, null)
            : null;
    }

    private static int Threads(string? text)
    {
        if (text is null) return Environment.ProcessorCount;
        if (!int.TryParse(text, out int threads) || threads is < 1 or > 1024)
            throw new UsageException($"--threads '{text}' is not a number from 1 to 1024.");
        return threads;
    }
}
