using Asni.Data;
using Asni.Methods;
using Asni.Networks;

namespace Asni.Runs;

/// <summary>What a run is, known before it starts.</summary>
/// <param name="Data">Name of the dataset: "mnist", "digits", ...</param>
/// <param name="DataSource">Where the data came from, one line.</param>
/// <param name="Device">The device's own line.</param>
internal sealed record RunDescription(Network Network, string Data, string DataSource, string Device, ulong Seed, int TrainImages, int TestImages)
{
    private const int LongestName = 100;

    /// <summary>What the run follows; the report shows its schedule.</summary>
    public Recipe? Recipe { get; init; }

    /// <summary>What pixels became before the network read them.</summary>
    public Normalization? Normalization { get; init; }

    /// <summary>In the order of the network's outputs; empty when unknown.</summary>
    public IReadOnlyList<string> ClassNames { get; init; } = [];

    /// <summary>runs/NETWORK-DATA-yyyyMMdd-HHmmss, relative to the current folder.</summary>
    public string DefaultFolder(DateTime now) =>
        Path.Combine("runs", string.Create(System.Globalization.CultureInfo.InvariantCulture, $"{FileNameOf(Network.Name)}-{Data}-{now:yyyyMMdd-HHmmss}"));

    /// <summary>A network's name may come from a file, and be anything.</summary>
    private static string FileNameOf(string name)
    {
        string plain = string.Concat(name.Take(LongestName).Select(c => char.IsAsciiLetterOrDigit(c) || c is '.' or '_' or '-' or '[' or ']' or '=' or ',' ? c : '_')).TrimStart('.');
        return plain.Length == 0 ? "network" : plain;
    }
}
