using Asni.Engine;
using Asni.Formats;
using Asni.Networks;
using Asni.Reports;

namespace Asni.Host;

/// <summary>A network read from a file together with what the file says of it.</summary>
internal sealed record StoredNetwork(string Path, NetworkFileHeader Header, Network Network, StoredWeights Weights)
{
    public ModelSnapshot Snapshot => new(Network, Weights.Values, Weights.Masks);

    /// <exception cref="AsniException">Missing, damaged, without a description, or of another network than it says.</exception>
    public static StoredNetwork Read(string path)
    {
        NetworkFileHeader header = NetworkFormats.ReadHeader(path);
        Network network = NetworkZoo.Create(header.Network, header.Input, header.Classes);
        return new StoredNetwork(path, header, network, NetworkFormats.Read(path, network));
    }

    /// <summary>The same network, which is of use.</summary>
    /// <exception cref="AsniException">A value is NaN or infinite; the tensor is named.</exception>
    public StoredNetwork RequireFinite()
    {
        foreach (Parameter p in Network.Parameters) WeightsByName.RequireFinite(Weights.Values[p.Index], p.Name, Path);
        return this;
    }
}

/// <summary>The networks of a run folder.</summary>
internal static class RunNetworks
{
    /// <summary>In the order in which one is chosen when none is named.</summary>
    private static readonly string[] s_phases = ["ispasp", "asni2", "asni1", "dense", "retrain", "ticket", "reinit", "shuffle", "asni2-init"];

    /// <summary>The file of a phase's network; of the first phase in the usual order when none is named.</summary>
    /// <exception cref="AsniException">There is no such folder, network or phase.</exception>
    public static string PathOf(string folder, string? phase)
    {
        if (!Directory.Exists(folder)) throw new UsageException($"the run folder {folder} does not exist.");
        var there = s_phases.Where(p => File.Exists(Path.Combine(folder, RunFolder.NetworkFileName(p)))).ToList();
        if (there.Count == 0) throw new AsniException($"{folder} holds no network yet; it is no run folder, or its first phase did not end.");
        phase ??= there[0];
        if (!there.Contains(phase)) throw new UsageException($"{folder} has no network of phase '{phase}'; it has {string.Join(", ", there)}.");
        return Path.Combine(folder, RunFolder.NetworkFileName(phase));
    }
}
