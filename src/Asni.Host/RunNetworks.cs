using Asni.Engine;
using Asni.Formats;
using Asni.Networks;
using Asni.Reports;

namespace Asni.Host;

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
