using Asni.Data;

namespace Asni.Devices;

/// <summary>A dataset within a device's reach, so that a batch is made there from a few numbers a sample.</summary>
internal abstract class DeviceDataset : IDisposable
{
    /// <summary>The samples of an epoch, in order. Indices must be those of the dataset's images.</summary>
    public abstract void SetOrder(ReadOnlySpan<SampleDraw> draws);

    /// <summary>Fills a batch and its labels with the samples of the order from <paramref name="first"/> on, normalised.</summary>
    /// <param name="to">As many as its batch.</param>
    /// <param name="labels">int32, one a sample.</param>
    public abstract void Load(int first, DeviceTensor to, DeviceBuffer labels);

    public abstract void Dispose();
}
