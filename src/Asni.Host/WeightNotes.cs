using System.Globalization;
using Asni.Formats;
using Asni.Formats.Naming;

namespace Asni.Host;

/// <summary>What is told of weights that were taken from a file by name.</summary>
internal static class WeightNotes
{
    /// <summary>The share of zeros from which on a network looks pruned.</summary>
    private const double NoticeableZeros = 0.01;

    /// <summary>One line on what was loaded, and one for each kind of thing that was not or needs a word.</summary>
    public static IEnumerable<string> Describe(WeightsByName loaded, string path)
    {
        yield return $"{loaded.Loaded} of {loaded.Trained.Values.Length} tensors come from {path}" + (loaded.IsComplete ? "." : "; the others are initialized.");
        if (!loaded.Missing.IsEmpty) yield return $"not in the file: {string.Join(", ", loaded.Missing)}.";
        if (!loaded.Misshapen.IsEmpty) yield return $"with another shape: {string.Join(", ", loaded.Misshapen)}.";
        if (!loaded.Unused.IsEmpty) yield return $"in the file but not in the network: {string.Join(", ", loaded.Unused)}.";
        if (loaded.FitInOrder > 0) yield return $"the shapes of {loaded.FitInOrder} fit in order{Remedies.TakenInOrder}.";
        foreach (var layer in loaded.InOrder.GroupBy(pair => (Layer.Split(pair.Parameter).Layer, Layer.Split(pair.InFile).Layer)))
            yield return $"taken in order: {Place(layer.Key.Item1)} from {Place(layer.Key.Item2)} ({string.Join(", ", layer.Select(pair => Layer.Split(pair.Parameter).Leaf))}).";
        if (loaded.Zeros > 0 && (loaded.ZerosAre == ZeroWeights.Pruned || loaded.Zeros >= NoticeableZeros * loaded.LoadedWeights))
            yield return string.Create(CultureInfo.InvariantCulture, $"{loaded.Zeros:N0} weights are 0 in the file, which has no masks: ")
                + (loaded.ZerosAre == ZeroWeights.Pruned ? "they are treated as pruned (--zeros live treats them as live)." : "they are treated as live (--zeros pruned treats them as pruned).");
    }

    private static string Place(string layer) => layer.Length == 0 ? "the network" : layer;
}
