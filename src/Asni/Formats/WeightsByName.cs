using System.Collections.Immutable;
using Asni.Networks;
using Asni.Tensors;

namespace Asni.Formats;

/// <summary>Weights taken from a file by name, and what could not be taken.</summary>
/// <param name="Weights">The file's values where it has them, elsewhere those given as fresh.</param>
/// <param name="Loaded">Number of the network's tensors that came from the file.</param>
/// <param name="Missing">The network's tensors that the file does not have.</param>
/// <param name="Misshapen">Tensors whose shape differs, each with both shapes.</param>
/// <param name="Unused">The file's tensors that the network does not have.</param>
public sealed record WeightsByName(StoredWeights Weights, int Loaded, ImmutableArray<string> Missing, ImmutableArray<string> Misshapen, ImmutableArray<string> Unused)
{
    /// <summary>What torch.nn.DataParallel puts before every name.</summary>
    private const string ParallelPrefix = "module.";

    /// <summary>PyTorch's count of batches, which no computation here reads.</summary>
    private const string BatchCounter = ".num_batches_tracked";

    private const int NamesInMessage = 4;

    public bool IsComplete => Missing.IsEmpty && Misshapen.IsEmpty;

    /// <summary>True when a weight of the file is pruned.</summary>
    public bool IsPruned { get; private init; }

    /// <param name="fresh">Values and masks of tensors that the file does not give.</param>
    /// <exception cref="AsniException">The file is missing or damaged, or none of its tensors is of this network.</exception>
    public static WeightsByName Load(string path, Network network, StoredWeights fresh)
    {
        using NamedTensors file = NamedTensors.Open(path);
        Dictionary<string, string> names = PlainNames(file);
        float[][] values = [.. fresh.Values];
        Mask?[] masks = [.. fresh.Masks];
        var missing = ImmutableArray.CreateBuilder<string>();
        var misshapen = ImmutableArray.CreateBuilder<string>();
        foreach (Parameter p in network.Parameters)
        {
            if (!names.Remove(p.Name, out string? name)) missing.Add(p.Name);
            else if (!file.Shapes[name].SequenceEqual(p.Shape.Dims.Select(d => (long)d)))
                misshapen.Add($"{p.Name} is [{string.Join(", ", file.Shapes[name])}] instead of [{string.Join(", ", p.Shape.Dims)}]");
            else (values[p.Index], masks[p.Index]) = (file.Read(name), file.ReadMask(name));
        }
        int loaded = values.Length - missing.Count - misshapen.Count;
        if (loaded == 0) throw NothingFits(path, network, file, misshapen);
        return new WeightsByName(new StoredWeights([.. values], [.. masks]), loaded, missing.ToImmutable(), misshapen.ToImmutable(), [.. names.Keys.Order(StringComparer.Ordinal)])
        {
            IsPruned = masks.Any(m => m is not null && m.Live < m.Length),
        };
    }

    /// <summary>One line on what was loaded, and one for each kind of thing that was not.</summary>
    public IEnumerable<string> Describe(string path)
    {
        int all = Weights.Values.Length;
        yield return $"{Loaded} of {all} tensors come from {path}" + (IsComplete ? "." : "; the others start fresh.");
        if (!Missing.IsEmpty) yield return $"not in the file: {string.Join(", ", Missing)}.";
        if (!Misshapen.IsEmpty) yield return $"of another shape: {string.Join(", ", Misshapen)}.";
        if (!Unused.IsEmpty) yield return $"in the file but not in the network: {string.Join(", ", Unused)}.";
    }

    /// <summary>The file's names by what PyTorch's module itself would call them.</summary>
    private static Dictionary<string, string> PlainNames(NamedTensors file)
    {
        var names = file.Shapes.Keys.Where(n => !n.EndsWith(BatchCounter, StringComparison.Ordinal)).ToList();
        bool wrapped = names.Count > 0 && names.TrueForAll(n => n.StartsWith(ParallelPrefix, StringComparison.Ordinal));
        return names.ToDictionary(n => wrapped ? n[ParallelPrefix.Length..] : n);
    }

    private static AsniException NothingFits(string path, Network network, NamedTensors file, IReadOnlyList<string> misshapen)
    {
        string difference = misshapen.Count > 0 ? string.Join(", ", misshapen.Take(NamesInMessage))
            : $"the file has {Names(file.Shapes.Keys.Order(StringComparer.Ordinal))}; the network has {Names(network.Parameters.Select(p => p.Name))}";
        return new AsniException($"no tensor of {path} fits network {network.Name}: {difference}.");
    }

    private static string Names(IEnumerable<string> names) => string.Join(", ", names.Take(NamesInMessage)) is { Length: > 0 } some ? some + ", ..." : "no tensor";
}
