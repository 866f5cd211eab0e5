using Asni.Data;
using Asni.Methods;
using Asni.Networks;

namespace Asni.Reports;

/// <summary>What a run is, known before it starts.</summary>
/// <param name="Data">As on the command line: "mnist", "digits", ...</param>
/// <param name="DataSource">Where the data came from, one line.</param>
/// <param name="Device">The device's own line.</param>
public sealed record RunDescription(Network Network, string Data, string DataSource, string Device, ulong Seed, int TrainImages, int TestImages)
{
    /// <summary>What the run follows; the report shows its schedule.</summary>
    public Recipe? Recipe { get; init; }

    /// <summary>What pixels became before the network read them.</summary>
    public Normalization? Normalization { get; init; }

    /// <summary>In the order of the network's outputs; empty when unknown.</summary>
    public IReadOnlyList<string> ClassNames { get; init; } = [];

    /// <summary>runs/NETWORK-DATA-yyyyMMdd-HHmmss, relative to the current folder.</summary>
    public string DefaultFolder(DateTime now) =>
        Path.Combine("runs", string.Create(System.Globalization.CultureInfo.InvariantCulture, $"{Network.Name}-{Data}-{now:yyyyMMdd-HHmmss}"));
}
