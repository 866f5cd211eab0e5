using System.Collections.Immutable;
using Asni.Networks;

namespace Asni.Formats.Naming;

/// <summary>Which tensor of a file is which parameter of a network.</summary>
/// <param name="Found">The tensor of the same name by <see cref="Parameter.Index"/>, whatever its shape; null when the file has none.</param>
/// <param name="Unused">The file's tensors that are no parameter.</param>
internal sealed record NameMatch(ImmutableArray<ModuleTensor?> Found, ImmutableArray<ModuleTensor> Unused)
{
    /// <summary>Parts of a prefix that are tried; wrappers are not stacked higher.</summary>
    private const int DeepestPrefix = 6;

    /// <summary>
    /// By names: as the network has them or as other programs are known to have them, below a prefix that all names of the file share. What fits most
    /// tensors by name and shape is taken.
    /// </summary>
    public static NameMatch Find(Network network, ImmutableArray<ModuleTensor> tensors)
    {
        ImmutableArray<NamingPart> parts = [.. LayerNames.PartsOf(network)];
        (int, int) best = (-1, -1);
        var chosen = new string?[network.Parameters.Length];
        Dictionary<string, ModuleTensor> byName = [];
        foreach (Dictionary<string, ModuleTensor> names in Unprefixed(tensors))
        {
            var wanted = new string?[network.Parameters.Length];
            (int Fits, int Present) score = (0, 0);
            foreach (NamingPart part in parts)
            {
                (int fits, int present) = Choose(part, names, wanted);
                score = (score.Fits + fits, score.Present + present);
            }
            if (score.CompareTo(best) > 0) (best, chosen, byName) = (score, wanted, names);
        }
        var found = new ModuleTensor?[network.Parameters.Length];
        for (int i = 0; i < found.Length; i++)
            // A name is taken once.
            if (chosen[i] is { } name && byName.Remove(name, out ModuleTensor? tensor)) found[i] = tensor;
        HashSet<ModuleTensor> left = References(byName.Values);
        return new NameMatch([.. found], [.. tensors.Where(left.Contains)]);
    }

    /// <summary>
    /// The pairs of parameters that names leave without a tensor, or with one of another shape, and tensors that they leave over, when both are as many
    /// and their shapes agree one by one; where they do not, those of the whole network. Empty when neither fits.
    /// </summary>
    public ImmutableArray<(Parameter Parameter, ModuleTensor Tensor)> InOrder(Network network, ImmutableArray<ModuleTensor> tensors)
    {
        var open = network.Parameters.Where(p => Found[p.Index] is not { } t || !HasShape(t, p)).ToList();
        if (open.Count == 0) return [];
        HashSet<ModuleTensor> loose = References([.. Unused, .. open.Select(p => Found[p.Index]).OfType<ModuleTensor>()]);
        var free = tensors.Where(loose.Contains).ToList();
        if (Fit(open, free) is { IsEmpty: false } rest) return rest;
        return Fit([.. network.Parameters], [.. tensors]);
    }

    public static bool HasShape(ModuleTensor tensor, Parameter parameter) =>
        tensor.Dims.Length == parameter.Shape.Dims.Length && tensor.Dims.Zip(parameter.Shape.Dims, (a, b) => a == b).All(same => same);

    private static HashSet<ModuleTensor> References(IEnumerable<ModuleTensor> tensors) => new(tensors, ReferenceEqualityComparer.Instance);

    private static ImmutableArray<(Parameter Parameter, ModuleTensor Tensor)> Fit(List<Parameter> parameters, List<ModuleTensor> tensors) =>
        parameters.Count == tensors.Count && parameters.Zip(tensors, (p, t) => HasShape(t, p)).All(fits => fits)
            ? [.. parameters.Zip(tensors)] : [];

    /// <summary>Puts the names of the convention that fits most tensors into <paramref name="wanted"/>; returns how many it fits, and how many there are.</summary>
    private static (int Fits, int Present) Choose(NamingPart part, Dictionary<string, ModuleTensor> names, string?[] wanted)
    {
        (int Fits, int Present) best = (-1, -1);
        ImmutableArray<string> layers = part.Namings[0];
        foreach (ImmutableArray<string> naming in part.Namings)
        {
            (int Fits, int Present) score = (0, 0);
            foreach ((string layer, Parameter parameter) in Pairs(part, naming))
            {
                if (!names.TryGetValue(Name(layer, parameter), out ModuleTensor? tensor)) continue;
                score = (score.Fits + (HasShape(tensor, parameter) ? 1 : 0), score.Present + 1);
            }
            if (score.CompareTo(best) > 0) (best, layers) = (score, naming);
        }
        foreach ((string layer, Parameter parameter) in Pairs(part, layers)) wanted[parameter.Index] = Name(layer, parameter);
        return best;
    }

    private static IEnumerable<(string Layer, Parameter Parameter)> Pairs(NamingPart part, ImmutableArray<string> naming) =>
        part.Layers.Zip(naming).SelectMany(pair => pair.First.Parameters.Select(p => (pair.Second, p)));

    private static string Name(string layer, Parameter parameter)
    {
        string leaf = Layer.Split(parameter.Name).Leaf;
        return layer.Length == 0 ? leaf : $"{layer}.{leaf}";
    }

    /// <summary>The file's names as they are, then without the first part that all of them share, and so on.</summary>
    private static IEnumerable<Dictionary<string, ModuleTensor>> Unprefixed(ImmutableArray<ModuleTensor> tensors)
    {
        var names = tensors.Select(t => t.Name).ToList();
        for (int depth = 0; depth <= DeepestPrefix; depth++)
        {
            var byName = new Dictionary<string, ModuleTensor>();
            for (int i = 0; i < names.Count; i++) byName.TryAdd(names[i], tensors[i]);
            yield return byName;
            int dot = names.Count == 0 ? -1 : names[0].IndexOf('.');
            if (dot < 0) yield break;
            string prefix = names[0][..(dot + 1)];
            if (!names.TrueForAll(n => n.StartsWith(prefix, StringComparison.Ordinal))) yield break;
            names = [.. names.Select(n => n[prefix.Length..])];
        }
    }
}
