using Asni.Networks;

namespace Asni.Formats.Onnx;

/// <summary>
/// Batch-norm of a trained network as part of the convolution or linear layer before it, where that layer feeds nothing else: each output channel's
/// weights times s = weight / sqrt(variance + epsilon), its bias (bias - mean) s + norm bias. Computed in double, rounded once. Zeros stay zeros.
/// </summary>
internal sealed class BatchNormFolding
{
    private readonly Dictionary<int, (double[] Scale, double[] Mean, float[] Offset)> _byLayer = [];
    private readonly HashSet<int> _folded = [];

    private BatchNormFolding() { }

    /// <summary>Leaves everything as it is.</summary>
    public static BatchNormFolding None { get; } = new();

    public static BatchNormFolding Of(TrainedNetwork trained)
    {
        Network network = trained.Network;
        var folding = new BatchNormFolding();
        var readers = network.Nodes.SelectMany(n => n.Inputs).CountBy(id => id).ToDictionary();
        foreach (BatchNormNode norm in network.Nodes.OfType<BatchNormNode>())
        {
            if (network.Nodes[norm.Source] is not (ConvolutionNode or LinearNode) || readers[norm.Source] != 1) continue;
            folding._folded.Add(norm.Id);
            float[] gain = trained.Values[norm.Weight.Index], variance = trained.Values[norm.RunningVariance.Index];
            double[] scale = [.. gain.Zip(variance, (g, v) => g / Math.Sqrt((double)v + norm.Epsilon))];
            double[] mean = [.. trained.Values[norm.RunningMean.Index].Select(m => (double)m)];
            folding._byLayer[norm.Source] = (scale, mean, trained.Values[norm.Bias.Index]);
        }
        return folding;
    }

    /// <summary>True when the node is part of the layer before it.</summary>
    public bool Holds(BatchNormNode node) => _folded.Contains(node.Id);

    /// <summary>Weights and bias of a layer with what was folded into it.</summary>
    public (float[] Weight, float[]? Bias) Apply(Node layer, float[] weight, float[]? bias)
    {
        if (!_byLayer.TryGetValue(layer.Id, out var norm)) return (weight, bias);
        int perChannel = weight.Length / norm.Scale.Length;
        var folded = new float[weight.Length];
        for (int i = 0; i < folded.Length; i++) folded[i] = (float)(weight[i] * norm.Scale[i / perChannel]);
        var offsets = new float[norm.Scale.Length];
        for (int c = 0; c < offsets.Length; c++) offsets[c] = (float)(((bias?[c] ?? 0) - norm.Mean[c]) * norm.Scale[c] + norm.Offset[c]);
        return (folded, offsets);
    }
}
