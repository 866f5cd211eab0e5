using System.Collections.Immutable;
using System.Globalization;
using Asni.Tensors;

namespace Asni.Networks;

/// <summary>
/// Networks with fewer units in some of their groups. The name says which, so that whoever has it can build the network again:
/// <c>resnet20[layer1.0.conv1=8,layer2.1.conv1=16]</c>.
/// </summary>
public static class NarrowNetwork
{
    /// <summary>The same network with so many units in each named group.</summary>
    /// <exception cref="UsageException">There is no such group, or it does not have so many units.</exception>
    public static Network Of(Network network, IReadOnlyDictionary<string, int> units)
    {
        PrunableGroups all = PrunableGroups.Find(network);
        var channels = network.Nodes.Select(n => n.Output.Channels).ToArray();
        foreach ((string name, int count) in units)
        {
            PrunableGroup group = all.Groups.FirstOrDefault(g => g.Name == name) ?? throw new UsageException(WhyNot(network, all, name));
            if (count < 1 || count > group.Units) throw new UsageException($"{name} of {network.Name} has {group.Units} units; {count} of them cannot be kept.");
            foreach (Node member in group.Members) channels[member.Id] = count;
        }
        (string zoo, Dictionary<string, int> widths) = Split(network.Name);
        foreach ((string name, int count) in units) widths[name] = count;
        return Rebuild(network, Name(zoo, network, widths), channels);
    }

    /// <summary>The name without its widths, and the widths.</summary>
    /// <exception cref="UsageException">What stands in the brackets is not a list of layer=units.</exception>
    public static (string Zoo, Dictionary<string, int> Units) Split(string name)
    {
        int open = name.IndexOf('[', StringComparison.Ordinal);
        if (open < 0) return (name, []);
        var units = new Dictionary<string, int>();
        string inside = name.EndsWith(']') ? name[(open + 1)..^1] : "";
        foreach (string item in inside.Split(','))
        {
            string[] pair = item.Split('=');
            if (pair.Length != 2 || !int.TryParse(pair[1], NumberStyles.None, CultureInfo.InvariantCulture, out int count) || !units.TryAdd(pair[0], count))
                throw new UsageException($"the network name '{name}' does not end in [layer=units,...].");
        }
        return (name[..open], units);
    }

    private static string Name(string zoo, Network network, Dictionary<string, int> widths) => widths.Count == 0 ? zoo
        : $"{zoo}[{string.Join(',', network.Nodes.Where(n => widths.ContainsKey(n.Name)).Select(n => string.Create(CultureInfo.InvariantCulture, $"{n.Name}={widths[n.Name]}")))}]";

    private static string WhyNot(Network network, PrunableGroups all, string name)
    {
        foreach ((string layer, string reason) in all.Fixed)
            if (layer == name) return $"units of {name} cannot be taken out of {network.Name}: {reason}.";
        return $"{network.Name} has no layer '{name}' with units that can be taken out{Suggestion.For(name, all.Groups.Select(g => g.Name))}.";
    }

    private static Network Rebuild(Network network, string name, int[] channels)
    {
        var parameters = network.Parameters.ToArray();
        Parameter Shaped(Parameter p, Shape shape, FilterShape filter) => parameters[p.Index] = p with { Shape = shape, Filter = filter };
        Parameter Vector(Parameter p, int count) => Shaped(p, new Shape(count), new FilterShape(count, 1, 1, 1));
        Node New(Node node)
        {
            int count = channels[node.Id];
            Chw output = node.Output with { Channels = count };
            switch (node)
            {
                case ConvolutionNode n:
                    bool depthwise = n.Groups > 1 && PrunableGroups.IsDepthwise(n);
                    var filter = n.Weight.Filter with { Out = count, In = n.Groups == 1 ? channels[n.Source] : n.Weight.Filter.In };
                    Parameter weight = Shaped(n.Weight, new Shape(filter.Out, filter.In, filter.Height, filter.Width), filter);
                    return n with { Output = output, Weight = weight, Bias = n.Bias is { } b ? Vector(b, count) : null, Groups = depthwise ? count : n.Groups };
                case LinearNode n:
                    var matrix = n.Weight.Filter with { Out = count, In = channels[n.Source] };
                    return n with { Output = output, Weight = Shaped(n.Weight, new Shape(count, matrix.FanIn), matrix), Bias = n.Bias is { } c ? Vector(c, count) : null };
                case BatchNormNode n:
                    return n with
                    {
                        Output = output,
                        Weight = Vector(n.Weight, count),
                        Bias = Vector(n.Bias, count),
                        RunningMean = Vector(n.RunningMean, count),
                        RunningVariance = Vector(n.RunningVariance, count),
                    };
                default:
                    return node with { Output = output };
            }
        }
        ImmutableArray<Node> nodes = [.. network.Nodes.Select(New)];
        return new Network(name, nodes, [.. parameters]);
    }
}
