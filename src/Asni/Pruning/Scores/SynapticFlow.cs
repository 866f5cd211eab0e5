using System.Collections.Immutable;
using Asni.Devices;
using Asni.Engine;
using Asni.Networks;
using Asni.Networks.Rewriting;

namespace Asni.Pruning;

/// <summary>
/// |w| dR/d|w|, R the sum of the logits of an image of ones by the network without batch-norm and biases, every weight replaced by its magnitude (Tanaka, Kunin, Yamins,
/// Ganguli 2020, arXiv 2006.05467): what flows through each weight. It is the same sum in each layer in series, so that no layer runs empty when it is written again after
/// each of many cuts. Belongs to a model made of <see cref="NetworkOf"/>.
/// </summary>
/// <param name="rescale">False only for tests.</param>
internal sealed class SynapticFlow(Model model, bool rescale = true) : IScore, IDisposable
{
    private readonly GradientPlan _plan = new(model, batch: 1);
    private readonly FlowScales _scales = new(model.Network);

    /// <summary>R when the score was written last, as 2^x: it may be beyond any number.</summary>
    public double LogFlow { get; private set; }

    /// <summary>
    /// The network that flow goes through: no batch-norm, and ReLU, which is homogeneous, for every activation (ones make ReLU6 saturate).
    /// </summary>
    public static RewrittenNetwork NetworkOf(Network network)
    {
        var rewriter = new GraphRewriter();
        foreach (Node node in network.Nodes)
        {
            if (node is BatchNormNode) rewriter.Skip(node);
            else rewriter.Add(node, p => (p, new ParameterSource(p)), moved => moved is ActivationNode a ? a with { Activation = Activation.Relu } : moved);
        }
        return rewriter.Finish(network.Name);
    }

    /// <summary>A network's weights as their magnitudes, biases 0.</summary>
    public static TrainedNetwork Magnitudes(TrainedNetwork trained) => trained with
    {
        Values = [.. trained.Network.Parameters.Select(p => p.IsWeight ? [.. trained.Values[p.Index].Select(MathF.Abs)] : new float[p.Elements])],
    };

    /// <exception cref="AsniException">The flow is beyond floating-point numbers.</exception>
    public Ranking Write(Model written, IEnumerable<Parameter> parameters)
    {
        if (written != model) throw new ArgumentException("the score belongs to another model", nameof(written));
        if (rescale) _scales.Apply(model.Parameters);
        _plan.Load(Ones(model.Network.Input.Elements), [0]);
        double flow = _plan.Run(LogitLosses.Sum);
        if (!double.IsFinite(flow))
            throw new AsniException($"the synaptic flow of {model.Network.Name} is beyond the range of floating-point numbers; use another method.");
        LogFlow = Math.Log2(flow) - _scales.Total;
        model.Parameters.Combine([.. parameters.Select(p => p.Index)], ElementFunction.AbsoluteProduct, ParameterSlot.Gradient, ParameterSlot.Score);
        return Ranking.Score;
    }

    public void Dispose() => _plan.Dispose();

    private static float[] Ones(int count)
    {
        var ones = new float[count];
        Array.Fill(ones, 1f);
        return ones;
    }
}

/// <summary>
/// Powers of two that layers are multiplied by so that activations stay near 1: without them R overflows from about VGG-16's depth on, and underflows when little is left.
/// Every node has an exponent, those that an addition or anything without weights joins the same one, and a layer is multiplied by 2^(its own - its input's): all paths get
/// the same factor, and so do all scores, exactly.
/// </summary>
internal sealed class FlowScales
{
    /// <summary>Beyond it a weight would lose bits.</summary>
    private const int LargestExponent = 90;

    private readonly ImmutableArray<Node> _nodes;

    /// <summary>Of each node, the first of those that have the same exponent.</summary>
    private readonly int[] _group;

    /// <summary>Of each parameter, what its values are multiplied by now.</summary>
    private readonly int[] _exponents;

    public FlowScales(Network network)
    {
        _nodes = network.Nodes;
        _exponents = new int[network.Parameters.Length];
        _group = [.. Enumerable.Range(0, _nodes.Length)];
        foreach (Node node in _nodes)
        {
            if (node is WeightedNode) continue;
            foreach (int input in node.Inputs) Join(node.Id, input);
        }
    }

    /// <summary>The scores are multiplied by 2^Total.</summary>
    public int Total { get; private set; }

    /// <summary>Multiplies the weights anew, for what lives of them.</summary>
    public void Apply(DeviceParameters parameters)
    {
        double[] sizes = Sizes(parameters);
        int[] of = Exponents(sizes);
        foreach (WeightedNode layer in _nodes.OfType<WeightedNode>())
        {
            int weight = layer.Weight.Index, wanted = of[layer.Id] - of[layer.Source];
            if (Math.Abs(wanted) > LargestExponent) throw new AsniException($"the synaptic flow through {layer.Name} is beyond the range of floating-point numbers; use another method.");
            if (wanted != _exponents[weight])
                parameters.Combine([weight], ElementFunction.Identity, ParameterSlot.Value, ParameterSlot.Value, MathF.ScaleB(1, wanted - _exponents[weight]));
            _exponents[weight] = wanted;
        }
        Total = of[^1] - of[0];
    }

    /// <summary>
    /// The logarithm to base 2 of about the largest activation of each node when nothing is multiplied: the flow of whole channels, as if all positions had the same.
    /// </summary>
    private double[] Sizes(DeviceParameters parameters)
    {
        var size = new double[_nodes.Length];
        var channels = new double[_nodes.Length][];
        foreach (Node node in _nodes)
        {
            int largest = node.Inputs.IsEmpty ? node.Id : node.Inputs.MaxBy(i => size[i]);
            size[node.Id] = size[largest];
            channels[node.Id] = node switch
            {
                InputNode => [.. Enumerable.Repeat(1.0, node.Output.Channels)],
                WeightedNode layer => Through(layer, channels[layer.Source], parameters),
                AddNode add => [.. channels[add.Left].Zip(channels[add.Right],
                    (a, b) => a * Math.Pow(2, size[add.Left] - size[largest]) + b * Math.Pow(2, size[add.Right] - size[largest]))],
                _ => channels[largest],
            };
            if (node is WeightedNode weighted) size[node.Id] -= _exponents[weighted.Weight.Index];
            double most = channels[node.Id].Max();
            // Nothing flows through an empty layer, at any scale.
            channels[node.Id] = [.. channels[node.Id].Select(c => most > 0 ? c / most : 1)];
            if (most > 0) size[node.Id] += Math.Log2(most);
        }
        return size;
    }

    private static double[] Through(WeightedNode layer, double[] input, DeviceParameters parameters)
    {
        FilterShape filter = layer.Weight.Filter;
        int plane = filter.Height * filter.Width;
        var weights = new float[layer.Weight.Elements];
        parameters.Download(layer.Weight.Index, ParameterSlot.Value, weights);
        var output = new double[filter.Out];
        Parallel.For(0, filter.Out, o =>
        {
            for (int i = 0; i < filter.In; i++)
            {
                double sum = 0;
                foreach (float w in weights.AsSpan(o * filter.FanIn + i * plane, plane)) sum += w;
                output[o] += sum * input[layer.SourceChannel(o, i)];
            }
        });
        return output;
    }

    /// <summary>The middle of each group's sizes becomes 1; the input stays.</summary>
    private int[] Exponents(double[] sizes)
    {
        int input = Root(0);
        Dictionary<int, int> ofGroup = Enumerable.Range(0, sizes.Length).GroupBy(Root)
            .ToDictionary(g => g.Key, g => g.Key == input ? 0 : -(int)Math.Round((g.Max(i => sizes[i]) + g.Min(i => sizes[i])) / 2));
        return [.. Enumerable.Range(0, sizes.Length).Select(i => ofGroup[Root(i)])];
    }

    private int Root(int node)
    {
        while (_group[node] != node) node = _group[node];
        return node;
    }

    private void Join(int a, int b)
    {
        (int first, int second) = (Root(a), Root(b));
        _group[Math.Max(first, second)] = Math.Min(first, second);
    }
}
