using System.Collections.Immutable;

namespace Asni.Networks;

/// <summary>
/// Units (channels, or outputs of a linear layer) that one layer makes and one layer reads, so that any of them can be taken out: a
/// layer, what stands between, and its consumer.
/// </summary>
/// <param name="Producer">The layer that makes the units; the group has its name.</param>
/// <param name="Members">Nodes whose channels are the units, in order: the producer, batch-norms, activations, pools, depthwise convolutions.</param>
/// <param name="Consumer">The one layer that reads them.</param>
/// <param name="Norm">The batch-norm behind the consumer, when it reads nothing else.</param>
/// <param name="StaysBecause">Why the group is left as it is unless asked for; null: it is not.</param>
internal sealed record PrunableGroup(WeightedNode Producer, ImmutableArray<Node> Members, WeightedNode Consumer, BatchNormNode? Norm, string? StaysBecause)
{
    public string Name => Producer.Name;
    public int Units => Producer.Output.Channels;

    /// <summary>The node that the consumer reads: hidden activations, behind the nonlinearity.</summary>
    public Node Hidden => Members[^1];
}

/// <summary>Which units of a network can be taken out, read off its graph.</summary>
/// <param name="Groups">In the order of the network.</param>
/// <param name="Fixed">The other layers, with the reason.</param>
internal sealed record PrunableGroups(ImmutableArray<PrunableGroup> Groups, ImmutableArray<(string Layer, string Reason)> Fixed)
{
    public static PrunableGroups Find(Network network)
    {
        var groups = ImmutableArray.CreateBuilder<PrunableGroup>();
        var others = ImmutableArray.CreateBuilder<(string, string)>();
        ILookup<int, Node> readersOf = network.Nodes.SelectMany(n => n.Inputs.Distinct().Select(i => (Source: i, Reader: n))).ToLookup(p => p.Source, p => p.Reader);
        var blocks = new ResidualBlocks(network, readersOf);
        foreach (Node node in network.Nodes)
        {
            if (node is not WeightedNode { Units: UnitFlow.Ends } layer) continue;
            if (Follow(node, readersOf, out ImmutableArray<Node> members, out WeightedNode? consumer) is { } reason)
            {
                others.Add((node.Name, reason));
                continue;
            }
            var norm = readersOf[consumer!.Id].ToArray() is [BatchNormNode only] ? only : null;
            groups.Add(new PrunableGroup(layer, members, consumer, norm, blocks.GetUnprunedReason(consumer) ?? (members.OfType<ActivationNode>().Any() ? null : "no activation follows it")));
        }
        return new PrunableGroups(groups.ToImmutable(), others.ToImmutable());
    }

    /// <summary>Walks from a layer to the one that reads its units; a reason when there is none such.</summary>
    private static string? Follow(Node producer, ILookup<int, Node> readersOf, out ImmutableArray<Node> members, out WeightedNode? consumer)
    {
        var found = ImmutableArray.CreateBuilder<Node>();
        (members, consumer) = ([], null);
        for (Node at = producer; ;)
        {
            found.Add(at);
            Node[] readers = [.. readersOf[at.Id]];
            if (readers.Length == 0) return "it gives the logits";
            if (readers.Length > 1) return $"its units are read by {readers.Length} layers";
            switch (readers[0].Units)
            {
                case UnitFlow.Passes:
                    at = readers[0];
                    continue;
                case UnitFlow.Ends:
                    (members, consumer) = (found.ToImmutable(), (WeightedNode)readers[0]);
                    return null;
                case UnitFlow.Adds:
                    return "its units are added to those of another branch";
                case UnitFlow.Splits:
                    return $"they are read by {readers[0].Name}, a convolution in groups";
                default:
                    throw new NotSupportedException($"'{readers[0].Name}' says nothing of the units that it reads");
            }
        }
    }

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
