using System.Collections.Immutable;
using Asni.Tensors;

namespace Asni.Networks;

/// <summary>
/// An immutable graph in topological order: node 0 is the input, the last node gives the logits. Made by
/// <see cref="NetworkBuilder"/>; holds no weights.
/// </summary>
public sealed record Network
{
    internal Network(string name, ImmutableArray<Node> nodes, ImmutableArray<Parameter> parameters) => (Name, Nodes, Parameters) = (name, nodes, parameters);

    public string Name { get; internal init; }

    internal ImmutableArray<Node> Nodes { get; init; }

    /// <summary>All stored tensors, trained ones and running statistics, in the order of PyTorch's state dict.</summary>
    public ImmutableArray<Parameter> Parameters { get; internal init; }

    public Chw Input => Nodes[0].Output;

    /// <summary>Length of the logits.</summary>
    public int Classes => Nodes[^1].Output.Elements;

    /// <summary>Parameters that the optimizer updates, in the order of PyTorch's parameters().</summary>
    public IEnumerable<Parameter> Trained => Parameters.Where(p => p.IsTrained);

    /// <summary>Convolution and linear weight tensors: what is pruned, L of them.</summary>
    public IEnumerable<Parameter> Weights => Parameters.Where(p => p.IsWeight);

    /// <summary>Number of trained elements (PyTorch's parameter count).</summary>
    public long ParameterCount => Trained.Sum(p => p.Elements);

    /// <summary>Number of prunable weights, N.</summary>
    public long WeightCount => Weights.Sum(p => p.Elements);

    /// <summary>The nodes that read each node, by its id, in order.</summary>
    internal ILookup<int, Node> GetReaders() => Nodes.SelectMany(n => n.Inputs.Distinct().Select(i => (Source: i, Reader: n))).ToLookup(p => p.Source, p => p.Reader);

    /// <summary>A node and all that it is computed from, by id.</summary>
    internal HashSet<int> GetNeeded(int end)
    {
        var needed = new HashSet<int> { end };
        for (int id = end; id >= 0; id--)
            if (needed.Contains(id)) needed.UnionWith(Nodes[id].Inputs);
        return needed;
    }

    /// <summary>Its tensors have the names and shapes of another network's, in that order.</summary>
    internal bool HasTensorsOf(Network other) => Parameters.Select(p => (p.Name, p.Shape)).SequenceEqual(other.Parameters.Select(p => (p.Name, p.Shape)));
}
