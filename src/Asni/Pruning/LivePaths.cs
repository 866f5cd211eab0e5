using Asni.Networks;
using Asni.Tensors;

namespace Asni.Pruning;

/// <summary>
/// Which live weights are effective: some input reaches them through live weights, and through live weights they reach some logit. What others add to a logit is at most
/// a constant, the same for every image. A channel counts as a whole, its positions are not told apart; paths pass batch-norm, activations, pooling and sums, and none
/// begins at a bias. Two of the same network are equal when as many weights of each tensor are effective.
/// </summary>
internal sealed class LivePaths : IEquatable<LivePaths>
{
    /// <summary>Of each node, the channels that an input reaches.</summary>
    private readonly bool[][] _fed;

    /// <summary>Of each node, the channels that reach a logit.</summary>
    private readonly bool[][] _read;

    /// <summary>Effective elements of each parameter; 0 for those that are no weights.</summary>
    private readonly long[] _effective;

    private LivePaths(TrainedNetwork trained)
    {
        Network = trained.Network;
        _fed = new bool[Network.Nodes.Length][];
        _read = [.. Network.Nodes.Select(n => new bool[n.Output.Channels])];
        _effective = new long[Network.Parameters.Length];
        foreach (Node node in Network.Nodes) Feed(node, trained.Masks);
        Array.Fill(_read[^1], true);
        // Whoever reads a node comes behind it.
        foreach (Node node in Network.Nodes.Reverse()) Read(node, trained.Masks);
    }

    public Network Network { get; }

    /// <summary>Weights on a path.</summary>
    public long Effective => _effective.Sum();

    /// <summary>The share of the weights that are on no path: pruned, or live in vain.</summary>
    public double Sparsity => Network.WeightCount == 0 ? 0 : 1 - (double)Effective / Network.WeightCount;

    /// <summary>O(weights).</summary>
    public static LivePaths Find(TrainedNetwork trained) => new(trained);

    /// <summary>Of one weight tensor.</summary>
    public long Of(Parameter weight) => _effective[weight.Index];

    public bool Equals(LivePaths? other) => other is not null && _effective.AsSpan().SequenceEqual(other._effective);

    public override bool Equals(object? obj) => Equals(obj as LivePaths);

    public override int GetHashCode() => Effective.GetHashCode();

    private void Feed(Node node, IReadOnlyList<Mask?> masks)
    {
        bool[] fed = _fed[node.Id] = new bool[node.Output.Channels];
        switch (node)
        {
            case InputNode:
                Array.Fill(fed, true);
                break;
            case WeightedNode layer:
                foreach ((int output, int channel, _) in LiveConnections(layer, masks)) fed[output] |= _fed[layer.Source][channel];
                break;
            default:
                foreach (int input in node.Inputs) Join(fed, _fed[input]);
                break;
        }
    }

    private void Read(Node node, IReadOnlyList<Mask?> masks)
    {
        bool[] read = _read[node.Id];
        if (node is WeightedNode layer)
        {
            bool[] source = _read[layer.Source], fed = _fed[layer.Source];
            foreach ((int output, int channel, long live) in LiveConnections(layer, masks))
            {
                if (!read[output]) continue;
                source[channel] = true;
                if (fed[channel]) _effective[layer.Weight.Index] += live;
            }
        }
        else
        {
            foreach (int input in node.Inputs) Join(_read[input], read);
        }
    }

    /// <summary>The pairs of an output and a channel of the source with live weights between them, and how many.</summary>
    private static IEnumerable<(int Output, int Channel, long Live)> LiveConnections(WeightedNode layer, IReadOnlyList<Mask?> masks)
    {
        FilterShape filter = layer.Weight.Filter;
        Mask? mask = masks[layer.Weight.Index];
        int plane = filter.Height * filter.Width;
        for (int output = 0; output < filter.Out; output++)
            for (int input = 0; input < filter.In; input++)
                if ((mask?.LiveIn((long)output * filter.FanIn + input * plane, plane) ?? plane) is var live and > 0)
                    yield return (output, layer.SourceChannel(output, input), live);
    }

    private static void Join(bool[] into, bool[] from)
    {
        for (int i = 0; i < into.Length; i++) into[i] |= from[i];
    }
}
