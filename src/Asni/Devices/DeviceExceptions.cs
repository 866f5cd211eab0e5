namespace Asni.Devices;

/// <summary>A device has too little memory left for an allocation.</summary>
public sealed class DeviceMemoryException(string message) : AsniException(message)
{
    /// <summary>Samples of the batch that did not fit; null where no batch was asked for.</summary>
    public int? BatchSize { get; init; }

    /// <summary>Samples of a smaller batch that fits; 0: not one sample does; null: not known.</summary>
    public int? FittingBatchSize { get; init; }

    /// <summary>Lanes in which the same batch fits; null: not known, or none are.</summary>
    public int? FittingLanes { get; init; }
}

/// <summary>This machine has no such device, or none that can be used. The message says why, and what would have to be there.</summary>
/// <param name="device">Name of the kind of device: "cuda".</param>
public sealed class DeviceUnavailableException(string device, string message) : AsniException(message)
{
    /// <summary>Name of the kind of device: "cuda".</summary>
    public string Device { get; } = device;
}
