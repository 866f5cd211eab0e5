using System.Collections.Immutable;

namespace Asni.Networks.Rewriting;

/// <summary>
/// The one place where graphs are copied: goes through a network node by node, in order, and puts each into a new one, as it is or as the caller makes it.
/// </summary>
internal sealed class GraphRewriter
{
    private readonly ImmutableArray<Node>.Builder _nodes = ImmutableArray.CreateBuilder<Node>();
    private readonly ImmutableArray<Parameter>.Builder _parameters = ImmutableArray.CreateBuilder<Parameter>();
    private readonly ImmutableArray<ParameterSource>.Builder _sources = ImmutableArray.CreateBuilder<ParameterSource>();

    /// <summary>Of each node that was gone through, the new node that has its output.</summary>
    private readonly Dictionary<int, int> _ids = [];

    /// <summary>Puts a node at the end, with the tensors it has.</summary>
    public void Keep(Node node) => Add(node, p => (p, new ParameterSource(p)));

    /// <summary>Puts a node at the end.</summary>
    /// <param name="tensor">What takes the place of each of its tensors, of another shape perhaps, and where that comes from.</param>
    /// <param name="change">What is different about the node besides.</param>
    public void Add(Node node, Func<Parameter, (Parameter Tensor, ParameterSource Source)> tensor, Func<Node, Node>? change = null)
    {
        int id = _ids[node.Id] = _nodes.Count;
        Node moved = node.Moved(id, source => _ids[source], old =>
        {
            (Parameter wanted, ParameterSource source) = tensor(old);
            return Own(wanted, source);
        });
        _nodes.Add(change?.Invoke(moved) ?? moved);
    }

    /// <summary>A further tensor of the node that is being added.</summary>
    public Parameter Own(Parameter wanted, ParameterSource source)
    {
        Parameter own = wanted with { Index = _parameters.Count };
        _parameters.Add(own);
        _sources.Add(source);
        return own;
    }

    /// <summary>Leaves a node out: whoever read it reads what it read.</summary>
    public void Skip(Node node) => Skip(node, node.Inputs[0]);

    /// <summary>Leaves a node out: whoever read it reads another one, which was gone through before.</summary>
    public void Skip(Node node, int like) => _ids[node.Id] = _ids[like];

    public RewrittenNetwork Finish(string name) => new(new Network(name, _nodes.ToImmutable(), _parameters.ToImmutable()), _sources.ToImmutable());
}
