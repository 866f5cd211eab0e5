using System.Collections.Immutable;

namespace Asni.Networks;

/// <summary>
/// Units (channels, or outputs of linear layers) that the graph ties together, so that each can only be taken out of all these layers at once: the layers that make
/// them, what stands between, and the layers that read them. Sums tie the units of their branches (Fang et al. 2023, arXiv 2301.12900: dependency graphs).
/// </summary>
/// <param name="Producers">The layers that make the units, in the order of the network; the group has the name of the first.</param>
/// <param name="Members">Nodes whose channels are the units, in the order of the network: producers, batch-norms, activations, pools, depthwise convolutions, sums.</param>
/// <param name="Consumers">The layers that read them.</param>
/// <param name="Norm">The batch-norm behind the consumer of a hidden group, when it reads nothing else.</param>
/// <param name="StaysBecause">Why i-SpaSP leaves the group as it is unless asked; null: it does not.</param>
internal sealed record PrunableGroup(ImmutableArray<WeightedNode> Producers, ImmutableArray<Node> Members, ImmutableArray<WeightedNode> Consumers, BatchNormNode? Norm, string? StaysBecause)
{
    public string Name => Producers[0].Name;
    public int Units => Producers[0].Output.Channels;

    /// <summary>One layer makes its units and one other reads them.</summary>
    public bool IsHidden => Producers.Length == 1 && Consumers.Length == 1 && !Members.Any(m => m.Units == UnitFlow.Adds);

    /// <summary>The fewest units it can have: a depthwise convolution of one channel would be one that is not depthwise.</summary>
    public int Least => Math.Min(Units, Math.Max(Floor, Members.OfType<ConvolutionNode>().Any(c => c.IsDepthwise) ? 2 : 1));

    /// <summary>Units that are to stay at least, where somebody says so.</summary>
    public int Floor { get; init; }

    /// <summary>What makes the units: filters, biases, batch-norms. Each unit has an equal part of each, in the order of units.</summary>
    public IEnumerable<Parameter> Parameters => Members.SelectMany(m => m.Parameters).Where(p => p.IsTrained);

    /// <summary>The number of the first unit of each group, numbered over all, and of the end.</summary>
    public static int[] Firsts(ImmutableArray<PrunableGroup> groups)
    {
        var firsts = new int[groups.Length + 1];
        for (int g = 0; g < groups.Length; g++) firsts[g + 1] = firsts[g] + groups[g].Units;
        return firsts;
    }

    /// <summary>Of a hidden group.</summary>
    public WeightedNode Producer => Producers.Single();

    /// <inheritdoc cref="Producer"/>
    public WeightedNode Consumer => Consumers.Single();

    /// <summary>The node that the consumer of a hidden group reads: activations behind the nonlinearity.</summary>
    public Node Hidden => Members[^1];
}

/// <summary>Which units of a network can be taken out, read off its graph.</summary>
/// <param name="Groups">In the order of the network.</param>
/// <param name="Fixed">The other layers, with the reason.</param>
internal sealed record PrunableGroups(ImmutableArray<PrunableGroup> Groups, ImmutableArray<(string Layer, string Reason)> Fixed)
{
    /// <summary>Those between one layer and one other.</summary>
    public IEnumerable<PrunableGroup> Hidden => Groups.Where(g => g.IsHidden);

    public static PrunableGroups Find(Network network)
    {
        var groups = ImmutableArray.CreateBuilder<PrunableGroup>();
        var others = ImmutableArray.CreateBuilder<(string, string)>();
        ILookup<int, Node> readersOf = network.GetReaders();
        var blocks = new ResidualBlocks(network, readersOf);
        foreach (Node[] members in Tied(network))
        {
            ImmutableArray<WeightedNode> producers = [.. members.OfType<WeightedNode>().Where(n => n.Units is UnitFlow.Ends or UnitFlow.Splits)];
            Node[] readers = [.. members.SelectMany(m => readersOf[m.Id]).Distinct().Where(r => r.Units is UnitFlow.Ends or UnitFlow.Splits).OrderBy(r => r.Id)];
            if (GetFixedReason(members, readers, readersOf) is { } reason)
            {
                others.AddRange(producers.Select(p => (p.Name, reason)));
                continue;
            }
            var group = new PrunableGroup(producers, [.. members], [.. readers.Cast<WeightedNode>()], null, null);
            groups.Add(!group.IsHidden ? group with { StaysBecause = DescribeShared(group) } : group with
            {
                Norm = readersOf[group.Consumer.Id].ToArray() is [BatchNormNode only] ? only : null,
                StaysBecause = blocks.GetUnprunedReason(group.Consumer) ?? (members.OfType<ActivationNode>().Any() ? null : "no activation follows it"),
            });
        }
        return new PrunableGroups(groups.ToImmutable(), others.ToImmutable());
    }

    /// <summary>The nodes whose outputs have the same units, set after set in the order of their first layers, each in the order of the network.</summary>
    private static IEnumerable<Node[]> Tied(Network network)
    {
        // Each node's representative: the first node of its set, found through those of the nodes it passes units of.
        var first = new int[network.Nodes.Length];
        foreach (Node node in network.Nodes)
        {
            first[node.Id] = node.Id;
            if (node.Units is UnitFlow.Passes or UnitFlow.Adds)
                foreach (int input in node.Inputs) Unite(node.Id, input);
        }
        return network.Nodes.GroupBy(n => Find(n.Id)).Select(g => g.ToArray());

        int Find(int id) => first[id] == id ? id : first[id] = Find(first[id]);

        void Unite(int a, int b)
        {
            (a, b) = (Find(a), Find(b));
            first[Math.Max(a, b)] = Math.Min(a, b);
        }
    }

    /// <summary>Why none of the units can go; null when they can.</summary>
    private static string? GetFixedReason(Node[] members, Node[] readers, ILookup<int, Node> readersOf)
    {
        if (members.FirstOrDefault(m => m.Units is UnitFlow.Splits) is { } split) return $"{split.Name} makes them, a convolution in groups";
        if (members.Any(m => m.Units == UnitFlow.None)) return "its units are added to the image's channels";
        if (members.Any(m => !readersOf[m.Id].Any())) return "it gives the logits";
        return readers.FirstOrDefault(r => r.Units == UnitFlow.Splits) is { } reader ? $"they are read by {reader.Name}, a convolution in groups" : null;
    }

    private static string DescribeShared(PrunableGroup group) => (group.Producers.Length, group.Consumers.Length) switch
    {
        (1, 1) => "its units are added to each other",
        (1, var readers) => $"{readers} layers read its units",
        var (makers, _) => $"{makers} layers make its units",
    };

    /// <summary>What the residual blocks of a network are, as far as it matters which of them are pruned by default.</summary>
    private sealed class ResidualBlocks
    {
        private readonly ILookup<int, Node> _readersOf;
        private readonly HashSet<int> _downsample = [], _last = [];

        public ResidualBlocks(Network network, ILookup<int, Node> readersOf)
        {
            _readersOf = readersOf;
            AddNode[] sums = [.. network.Nodes.OfType<AddNode>()];
            foreach (AddNode sum in sums)
                if (IsBranch(network.Nodes[sum.Left]) && IsBranch(network.Nodes[sum.Right])) _downsample.Add(sum.Id);
            if (_downsample.Count == 0) return;
            // Stages end before a block that changes the shape, and with the network.
            for (int i = 0; i < sums.Length; i++)
                if (i + 1 == sums.Length || _downsample.Contains(sums[i + 1].Id)) _last.Add(sums[i].Id);
        }

        /// <summary>Computed for the sum alone; what others read too is the stream of MobileNetV2, which no activation follows.</summary>
        private bool IsBranch(Node node) => node is BatchNormNode or ConvolutionNode && _readersOf[node.Id].Count() == 1;

        /// <summary>For the block that a layer belongs to.</summary>
        public string? GetUnprunedReason(Node layer)
        {
            for (Node at = layer; ;)
            {
                Node[] readers = [.. _readersOf[at.Id]];
                if (readers.Length != 1) return null;
                at = readers[0];
                if (at is not AddNode) continue;
                return _downsample.Contains(at.Id) ? "its block has a downsample branch" : _last.Contains(at.Id) ? "its block is the last of its stage" : null;
            }
        }
    }
}
