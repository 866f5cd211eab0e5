using Asni.Devices;
using Asni.Networks;
using Asni.Tensors;

namespace Asni.Engine;

/// <summary>
/// A network's parameters on a device. Plans of any batch size share one model. One caller at a time, as its device. The device is the caller's: whoever makes a device
/// disposes of it, after what is on it.
/// </summary>
public sealed class Model : IDisposable
{
    public Model(Network network, Device device)
    {
        Network = network;
        Device = device;
        Parameters = device.CreateParameters(network.Parameters);
    }

    public Network Network { get; }
    public Device Device { get; }
    internal DeviceParameters Parameters { get; }

    /// <summary>Live elements among the prunable weights.</summary>
    public long Kept => Network.Weights.Sum(p => Parameters.Live(p.Index));

    /// <summary>Pruned share of the prunable weights.</summary>
    public double Sparsity => 1 - (double)Kept / Network.WeightCount;

    /// <summary>Takes values and masks; optimizer state becomes 0.</summary>
    public void Load(TrainedNetwork trained)
    {
        using SingleCaller.Call call = Device.Caller.Enter();
        foreach (Parameter p in Network.Parameters)
        {
            Parameters.SetMask(p.Index, null);
            Parameters.Upload(p.Index, ParameterSlot.Value, trained.Values[p.Index]);
            if (trained.Masks[p.Index] is { } mask) Parameters.SetMask(p.Index, mask);
        }
        Parameters.ResetState();
    }

    /// <summary>Copies values and masks to the host.</summary>
    public TrainedNetwork TakeSnapshot()
    {
        using SingleCaller.Call call = Device.Caller.Enter();
        var values = new float[Network.Parameters.Length][];
        var masks = new Mask?[Network.Parameters.Length];
        foreach (Parameter p in Network.Parameters)
        {
            values[p.Index] = new float[p.Elements];
            Parameters.Download(p.Index, ParameterSlot.Value, values[p.Index]);
            masks[p.Index] = Parameters.GetMask(p.Index);
        }
        return new TrainedNetwork(Network, [.. values], [.. masks]);
    }

    /// <exception cref="InvalidOperationException">Another thread is using it.</exception>
    public void Dispose()
    {
        using SingleCaller.Call call = Device.Caller.Enter();
        Parameters.Dispose();
    }
}
