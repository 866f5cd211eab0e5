using System.Collections.Immutable;
using Asni.Tensors;

namespace Asni.Networks;

/// <summary>What one layer holds and costs, per sample.</summary>
/// <param name="Kind">Words for people: "conv 3x3/2", "linear", "batch-norm", "relu", "add", ...</param>
/// <param name="Output">Shape of its output.</param>
/// <param name="WeightShape">Shape of its prunable weight, null when it has none.</param>
/// <param name="Parameters">Trained elements.</param>
/// <param name="Weights">Prunable weights among them.</param>
/// <param name="Live">Weights that are not pruned.</param>
/// <param name="Macs">Multiply-accumulates of a dense forward pass; 0 for layers without weights.</param>
/// <param name="LiveMacs">Those of the live weights: each is used once per output position.</param>
public sealed record LayerInfo(string Name, string Kind, Chw Output, Shape? WeightShape, long Parameters, long Weights, long Live,
    long Macs, long LiveMacs);

/// <summary>
/// The layers of a network in order, and their totals. Costs are multiply-accumulates (MACs) of convolution and linear weights for one
/// sample, which is what papers print as "FLOPs" (ResNet-50: 4.09 G); batch-norm, activations and pooling count as nothing, and positions
/// in the padding count in full, as is usual. A floating-point operation count in the strict sense is twice that.
/// </summary>
public sealed record NetworkAnalysis(Network Network, ImmutableArray<LayerInfo> Layers)
{
    /// <summary>Trained elements.</summary>
    public long Parameters => Layers.Sum(l => l.Parameters);

    /// <summary>Prunable weights, N.</summary>
    public long Weights => Layers.Sum(l => l.Weights);

    /// <summary>Weights that are not pruned, K.</summary>
    public long Live => Layers.Sum(l => l.Live);

    /// <summary>Pruned weights over all prunable weights, 0..1.</summary>
    public double Sparsity => Weights == 0 ? 0 : 1 - (double)Live / Weights;

    /// <summary>Multiply-accumulates of a dense forward pass of one sample.</summary>
    public long Macs => Layers.Sum(l => l.Macs);

    /// <summary>Multiply-accumulates of the live weights.</summary>
    public long LiveMacs => Layers.Sum(l => l.LiveMacs);

    /// <param name="live">Live elements of a weight tensor; null when nothing is pruned.</param>
    public static NetworkAnalysis Analyze(Network network, Func<Parameter, long>? live = null) =>
        new(network, [.. network.Nodes.Select(node => Describe(node, live ?? (p => p.Elements)))]);

    private static LayerInfo Describe(Node node, Func<Parameter, long> live)
    {
        long trained = node.Parameters.Where(p => p.IsTrained).Sum(p => p.Elements);
        if (node is not WeightedNode layer) return new LayerInfo(node.Name, node.Kind, node.Output, null, trained, 0, 0, node.Macs, node.Macs);
        long weights = layer.Weight.Elements, kept = live(layer.Weight);
        return new LayerInfo(node.Name, node.Kind, node.Output, layer.Weight.Shape, trained, weights, kept, node.Macs, node.Macs / weights * kept);
    }
}
