using System.Collections.Immutable;
using System.Globalization;
using Asni.Tensors;

namespace Asni.Networks.Rewriting;

/// <summary>
/// Networks with fewer units in some of their groups. The name says which, so that whoever has it can build the network again:
/// <c>resnet20[layer1.0.conv1=8,layer2.1.conv1=16]</c>; blocks that are not there have the width 0 (<see cref="ShallowNetwork"/>).
/// </summary>
internal static class NarrowNetwork
{
    /// <summary>The same network with so many units in each named group.</summary>
    /// <exception cref="UsageException">There is no such group, or it does not have so many units.</exception>
    public static Network Create(Network network, IReadOnlyDictionary<string, int> units)
    {
        PrunableGroups all = PrunableGroups.Find(network);
        // Before lists are made as long as a name asks for.
        foreach ((string name, int count) in units) Group(network, all, name, count);
        return Keep(network, units.ToDictionary(u => u.Key, u => Enumerable.Range(0, u.Value).ToImmutableArray())).Network;
    }

    /// <summary>The network with only these units in a group: physically smaller, with the kept rows, columns and batch-norm numbers as they were.</summary>
    /// <param name="kept">Ascending.</param>
    public static TrainedNetwork Keep(TrainedNetwork trained, PrunableGroup group, IEnumerable<int> kept) =>
        Keep(trained, new Dictionary<string, ImmutableArray<int>> { [group.Name] = [.. kept] });

    /// <summary>The same of several groups at once, by their names.</summary>
    public static TrainedNetwork Keep(TrainedNetwork trained, IReadOnlyDictionary<string, ImmutableArray<int>> kept) => Keep(trained.Network, kept).Carry(trained);

    private static RewrittenNetwork Keep(Network network, IReadOnlyDictionary<string, ImmutableArray<int>> kept)
    {
        PrunableGroups all = PrunableGroups.Find(network);
        // By the id of a node: which of its outputs, and which of its inputs stay; all where nothing is said.
        var outputs = new Dictionary<int, ImmutableArray<int>>();
        var inputs = new Dictionary<int, ImmutableArray<int>>();
        foreach ((string name, ImmutableArray<int> units) in kept)
        {
            PrunableGroup group = Group(network, all, name, units.Length);
            foreach (Node member in group.Members) outputs[member.Id] = units;
            foreach (Node consumer in group.Consumers) inputs[consumer.Id] = units;
        }
        var rewriter = new GraphRewriter();
        foreach (Node node in network.Nodes)
        {
            ImmutableArray<int>? rows = outputs.TryGetValue(node.Id, out var o) ? o : null, columns = inputs.TryGetValue(node.Id, out var i) ? i : null;
            rewriter.Add(node, p => (Resized(p, rows, p.IsWeight ? columns : null), new ParameterSource(p, rows, p.IsWeight ? columns : null)),
                moved => rows is { } some ? Narrowed(moved, some.Length) : moved);
        }
        return rewriter.Finish(Renamed(network, network.Nodes, kept.ToDictionary(k => k.Key, k => k.Value.Length)));
    }

    private static PrunableGroup Group(Network network, PrunableGroups all, string name, int count)
    {
        PrunableGroup group = all.Groups.FirstOrDefault(g => g.Name == name) ?? throw new UsageException(DescribeMissingGroup(network, all, name));
        return count >= group.Least && count <= group.Units ? group
            : throw new UsageException($"{name} of {network.Name} has {group.Units} units; {count} of them cannot be kept{(group.Least > 1 ? $": the depthwise convolution behind it needs {group.Least}" : "")}.");
    }

    /// <summary>The name with the widths; as it was where it, or a layer's, has other uses for the brackets.</summary>
    /// <param name="left">Nodes that are still there.</param>
    public static string Renamed(Network network, IEnumerable<Node> left, IReadOnlyDictionary<string, int> kept)
    {
        if (!TrySplit(network.Name, out string zoo, out Dictionary<string, int> widths) || kept.Keys.Any(layer => layer.AsSpan().IndexOfAny("[]=,") >= 0)) return network.Name;
        foreach ((string layer, int units) in kept) widths[layer] = units;
        return Name(zoo, left, widths);
    }

    private static Parameter Resized(Parameter p, ImmutableArray<int>? rows, ImmutableArray<int>? columns)
    {
        FilterShape filter = p.Filter with { Out = rows?.Length ?? p.Filter.Out, In = columns?.Length ?? p.Filter.In };
        Shape shape = p.Shape.Rank switch
        {
            4 => new Shape(filter.Out, filter.In, filter.Height, filter.Width),
            2 => new Shape(filter.Out, filter.FanIn),
            1 => new Shape(filter.Out),
            _ => throw new ArgumentException($"{p.Name} is {p.Shape}", nameof(p)),
        };
        return p with { Shape = shape, Filter = filter };
    }

    private static Node Narrowed(Node node, int channels)
    {
        Chw output = node.Output with { Channels = channels };
        return node is ConvolutionNode { Groups: > 1 } depthwise ? depthwise with { Output = output, Groups = channels } : node with { Output = output };
    }

    /// <summary>The name without its widths, and the widths.</summary>
    /// <exception cref="UsageException">What stands in the brackets is not a list of layer=units.</exception>
    public static (string Zoo, Dictionary<string, int> Units) Split(string name) => TrySplit(name, out string zoo, out Dictionary<string, int> units) ? (zoo, units)
        : throw new UsageException($"the network name '{name}' does not end in [layer=units,...].");

    private static bool TrySplit(string name, out string zoo, out Dictionary<string, int> units)
    {
        int open = name.IndexOf('[', StringComparison.Ordinal);
        (zoo, units) = (open < 0 ? name : name[..open], []);
        if (open < 0) return true;
        string inside = name.EndsWith(']') ? name[(open + 1)..^1] : "";
        foreach (string item in inside.Split(','))
        {
            string[] pair = item.Split('=');
            if (pair.Length != 2 || !int.TryParse(pair[1], NumberStyles.None, CultureInfo.InvariantCulture, out int count) || !units.TryAdd(pair[0], count)) return false;
        }
        return true;
    }

    /// <summary>Blocks that are not there first, then layers in the order of the network.</summary>
    private static string Name(string zoo, IEnumerable<Node> left, Dictionary<string, int> widths)
    {
        string[] said = [.. widths.Where(w => w.Value == 0).Select(w => w.Key).Order(StringComparer.Ordinal), .. left.Select(n => n.Name).Where(n => widths.GetValueOrDefault(n) > 0)];
        return said.Length == 0 ? zoo : $"{zoo}[{string.Join(',', said.Select(name => string.Create(CultureInfo.InvariantCulture, $"{name}={widths[name]}")))}]";
    }

    private static string DescribeMissingGroup(Network network, PrunableGroups all, string name)
    {
        foreach ((string layer, string reason) in all.Fixed)
            if (layer == name) return $"units of {name} cannot be taken out of {network.Name}: {reason}.";
        if (all.Groups.FirstOrDefault(g => g.Producers.Any(p => p.Name == name)) is { } group)
            return $"units of {name} can only be taken out of {network.Name} with those of {group.Name}: use that name.";
        return $"{network.Name} has no layer '{name}' with units that can be taken out{Suggestion.For(name, all.Groups.Select(g => g.Name))}.";
    }
}
