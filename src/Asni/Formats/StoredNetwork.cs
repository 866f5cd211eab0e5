using Asni.Networks;

namespace Asni.Formats;

/// <summary>A network that was read from a file.</summary>
/// <param name="Phase">Of the run that delivered it: asni1, asni2, dense, ...</param>
public sealed record StoredNetwork(string Path, TrainedNetwork Trained, string Phase)
{
    /// <summary>The same network, which is of use.</summary>
    /// <exception cref="AsniException">A value is NaN or infinite; the tensor is named.</exception>
    public StoredNetwork RequireFinite()
    {
        foreach (Parameter p in Trained.Network.Parameters) WeightsByName.RequireFinite(Trained.Values[p.Index], p.Name, Path);
        return this;
    }
}
