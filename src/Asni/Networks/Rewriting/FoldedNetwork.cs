using System.Collections.Immutable;
using Asni.Tensors;

namespace Asni.Networks.Rewriting;

/// <summary>
/// A trained network for inference alone: batch-norm is part of the convolution or linear layer before it, where that layer feeds nothing else: each output channel's
/// weights times s = weight / sqrt(variance + epsilon), its bias (bias - mean) s + norm bias. Computed in double, rounded once. Zeros stay zeros, masks as they are.
/// </summary>
internal static class FoldedNetwork
{
    public static TrainedNetwork Fold(TrainedNetwork trained)
    {
        Network network = trained.Network;
        var readers = network.Nodes.SelectMany(n => n.Inputs).CountBy(id => id).ToDictionary();
        Dictionary<string, BatchNormNode> normBehind = network.Nodes.OfType<BatchNormNode>().Where(n => network.Nodes[n.Source] is WeightedNode && readers[n.Source] == 1)
            .ToDictionary(n => network.Nodes[n.Source].Name);
        var rewriter = new GraphRewriter();
        foreach (Node node in network.Nodes)
        {
            if (node is BatchNormNode norm && normBehind.TryGetValue(network.Nodes[norm.Source].Name, out BatchNormNode? folded) && folded.Id == norm.Id) rewriter.Skip(node);
            else rewriter.Keep(node is WeightedNode { Bias: null } layer && normBehind.TryGetValue(layer.Name, out BatchNormNode? behind) ? WithBias(layer, behind) : node);
        }
        TrainedNetwork carried = rewriter.Finish(network.Name).Carry(trained);
        float[][] values = [.. carried.Values];
        Mask?[] masks = [.. carried.Masks];
        foreach (WeightedNode layer in carried.Network.Nodes.OfType<WeightedNode>())
        {
            if (!normBehind.TryGetValue(layer.Name, out BatchNormNode? norm)) continue;
            bool hadBias = network.Nodes[norm.Source] is WeightedNode { Bias: not null };
            (values[layer.Weight.Index], values[layer.Bias!.Index]) = Fold(trained, norm, values[layer.Weight.Index], hadBias ? values[layer.Bias.Index] : null);
            masks[layer.Bias.Index] = null;
        }
        return new TrainedNetwork(carried.Network, [.. values], [.. masks]);
    }

    /// <summary>A bias that takes up the batch-norm's.</summary>
    private static WeightedNode WithBias(WeightedNode layer, BatchNormNode norm) =>
        layer with { Bias = norm.Bias with { Name = layer.Name + ".bias", Kind = ParameterKind.Bias } };

    private static (float[] Weight, float[] Bias) Fold(TrainedNetwork trained, BatchNormNode norm, float[] weight, float[]? bias)
    {
        float[] gain = trained.Values[norm.Weight.Index], variance = trained.Values[norm.RunningVariance.Index], mean = trained.Values[norm.RunningMean.Index],
            offset = trained.Values[norm.Bias.Index];
        double[] scale = [.. gain.Zip(variance, (g, v) => g / Math.Sqrt((double)v + norm.Epsilon))];
        int perChannel = weight.Length / scale.Length;
        var folded = new float[weight.Length];
        for (int i = 0; i < folded.Length; i++) folded[i] = (float)(weight[i] * scale[i / perChannel]);
        var offsets = new float[scale.Length];
        for (int c = 0; c < offsets.Length; c++) offsets[c] = (float)(((bias?[c] ?? 0) - (double)mean[c]) * scale[c] + offset[c]);
        return (folded, offsets);
    }
}
