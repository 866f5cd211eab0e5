namespace Asni.Devices;

/// <summary>What a device is opened with; a provider takes what means something to it.</summary>
public sealed record DeviceOptions
{
    /// <summary>Number of the device among those of its kind.</summary>
    public int Ordinal { get; init; }

    /// <summary>One of <see cref="IDeviceProvider.Precisions"/>; null: the first of them.</summary>
    public string? Precision { get; init; }

    /// <summary>Threads of a device that computes on the processors.</summary>
    public int Threads { get; init; } = Environment.ProcessorCount;
}

/// <summary>A kind of device: whether this machine has one that can be used, and how it is opened. A program that offers a choice walks a list of these.</summary>
public interface IDeviceProvider
{
    /// <summary>"cpu", "cuda".</summary>
    string Name { get; }

    /// <summary>Whether a machine may have several, told apart by their number.</summary>
    bool SupportsOrdinal { get; }

    /// <summary>Devices of this kind on this machine, where it has one that can be used.</summary>
    int Count => 1;

    /// <summary>Precisions of activations and products: "fp32", "bf16". The first is taken when none is asked for.</summary>
    IReadOnlyList<string> Precisions { get; }

    /// <summary>Why this machine has none that can be used, in one sentence; null when it has.</summary>
    string? GetUnavailableReason();

    /// <summary>Of one that can be used: why a program should not take it unless it is asked for, in one sentence; null when it may.</summary>
    string? GetNotDefaultReason() => null;

    /// <exception cref="DeviceUnavailableException">This machine has none that can be used.</exception>
    /// <exception cref="UsageException">The options make no sense.</exception>
    /// <exception cref="AsniException">There is none of this number.</exception>
    Device Open(DeviceOptions options);

    /// <summary>What this machine and this build have of it, for people: a few pairs of what and what was found, the device itself first.</summary>
    IReadOnlyList<(string Name, string Value)> Describe();
}
