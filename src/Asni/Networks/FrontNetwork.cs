using System.Collections.Immutable;

namespace Asni.Networks;

/// <summary>The part of a network that a node's output depends on.</summary>
public static class FrontNetwork
{
    /// <summary>The network that ends in a node, and which parameter of the whole each of its parameters is.</summary>
    public static (Network Front, ImmutableArray<Parameter> Sources) UpTo(Network network, Node end)
    {
        var needed = new HashSet<int> { end.Id };
        for (int id = end.Id; id >= 0; id--)
            if (needed.Contains(id)) needed.UnionWith(network.Nodes[id].Inputs);
        var ids = new Dictionary<int, int>();
        var nodes = ImmutableArray.CreateBuilder<Node>();
        var parameters = ImmutableArray.CreateBuilder<Parameter>();
        var sources = ImmutableArray.CreateBuilder<Parameter>();
        foreach (Node node in network.Nodes.Where(n => needed.Contains(n.Id)))
        {
            ids[node.Id] = nodes.Count;
            nodes.Add(Moved(node, nodes.Count));
        }
        return (new Network(network.Name, nodes.ToImmutable(), parameters.ToImmutable()), sources.ToImmutable());

        Parameter Own(Parameter p)
        {
            Parameter own = p with { Index = parameters.Count };
            parameters.Add(own);
            sources.Add(p);
            return own;
        }

        Parameter? Maybe(Parameter? p) => p is null ? null : Own(p);

        Node Moved(Node node, int id) => node switch
        {
            ConvolutionNode n => new ConvolutionNode(id, n.Name, ids[n.Source], n.Output, Own(n.Weight), Maybe(n.Bias), n.Stride, n.Padding, n.Groups),
            LinearNode n => new LinearNode(id, n.Name, ids[n.Source], n.Output, Own(n.Weight), Maybe(n.Bias)),
            BatchNormNode n => new BatchNormNode(id, n.Name, ids[n.Source], n.Output, Own(n.Weight), Own(n.Bias), Own(n.RunningMean), Own(n.RunningVariance), n.Epsilon, n.Momentum),
            ReluNode n => new ReluNode(id, n.Name, ids[n.Source], n.Output, n.Six),
            AddNode n => new AddNode(id, n.Name, ids[n.Left], ids[n.Right], n.Output),
            MaxPoolNode n => new MaxPoolNode(id, n.Name, ids[n.Source], n.Output, n.Size, n.Stride, n.Padding),
            GlobalAveragePoolNode n => new GlobalAveragePoolNode(id, n.Name, ids[n.Source], n.Output),
            InputNode n => new InputNode(id, n.Output),
            _ => throw new InvalidOperationException($"a {node.GetType().Name} in {network.Name}"),
        };
    }
}
