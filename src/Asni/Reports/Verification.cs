using Asni.Formats;
using Asni.Networks;
using Asni.Pruning;
using Asni.Tensors;

namespace Asni.Reports;

/// <summary>Elements of one way of counting, and how many of them live.</summary>
internal readonly record struct LiveCount(long Elements, long Live)
{
    public double Sparsity => Elements == 0 ? 0 : 1 - (double)Live / Elements;

    public static LiveCount operator +(LiveCount a, LiveCount b) => new(a.Elements + b.Elements, a.Live + b.Live);
}

/// <summary>What a stored network really holds, counted from its values and masks and not from what any file says of itself.</summary>
/// <param name="Weights">Convolution and linear weights: what papers call sparsity.</param>
/// <param name="WithoutHead">Those without the last layer's.</param>
/// <param name="WithBiases">Weights and biases.</param>
/// <param name="AllTrained">Weights, biases and batch-norm parameters.</param>
/// <param name="Effective">Weights, of which those on a path of live weights from an input to a logit count as live.</param>
/// <param name="Macs">Multiply-accumulates of an image when dense.</param>
/// <param name="LiveMacs">Those of live weights.</param>
/// <param name="PrunedNotZero">Pruned elements whose value is not bitwise +0: the mask and the weights disagree.</param>
/// <param name="LiveZeros">Live weights whose value is 0.</param>
/// <param name="ZerosWithoutMask">Zeros in weight tensors that have no mask.</param>
/// <param name="NotFinite">NaN and infinite values.</param>
/// <param name="NegativeVariances">Running variances below 0.</param>
/// <param name="EmptyLayers">Weight tensors without a live element.</param>
internal sealed record Verification(LiveCount Weights, LiveCount WithoutHead, LiveCount WithBiases, LiveCount AllTrained, LiveCount Effective, long Macs, long LiveMacs,
    long PrunedNotZero, long LiveZeros, long ZerosWithoutMask, long NotFinite, long NegativeVariances, IReadOnlyList<string> EmptyLayers)
{
    /// <summary>What makes the network unusable or its masks untrue, one sentence each; none when it is sound.</summary>
    public IEnumerable<string> Faults()
    {
        if (PrunedNotZero > 0) yield return $"{PrunedNotZero} pruned elements are not 0";
        if (NotFinite > 0) yield return $"{NotFinite} values are NaN or infinite";
        if (NegativeVariances > 0) yield return $"{NegativeVariances} running variances are negative";
    }

    public static Verification Verify(TrainedNetwork stored)
    {
        Network network = stored.Network;
        LiveCount Sum(Func<Parameter, bool> which) =>
            network.Parameters.Where(which).Aggregate(default(LiveCount), (sum, p) => sum + new LiveCount(p.Elements, stored.Live(p)));
        Parameter? head = network.Nodes.OfType<LinearNode>().LastOrDefault()?.Weight;
        var analysis = NetworkAnalysis.Analyze(network, stored.Live);
        long prunedNotZero = 0, liveZeros = 0, zerosWithoutMask = 0, notFinite = 0, negativeVariances = 0;
        foreach (Parameter p in network.Parameters)
        {
            float[] values = stored.Values[p.Index];
            notFinite += values.LongCount(v => !float.IsFinite(v));
            if (p.Kind == ParameterKind.RunningVariance) negativeVariances += values.LongCount(v => v < 0);
            if (stored.Masks[p.Index] is { } mask)
                for (int i = 0; i < values.Length; i++)
                {
                    if (!mask[i] && BitConverter.SingleToUInt32Bits(values[i]) != 0) prunedNotZero++;
                    else if (mask[i] && values[i] == 0) liveZeros++;
                }
            else if (p.IsWeight) zerosWithoutMask += values.LongCount(v => v == 0);
        }
        return new Verification(Sum(p => p.IsWeight), Sum(p => p.IsWeight && p != head), Sum(p => p.IsWeight || p.Kind == ParameterKind.Bias),
            Sum(p => p.IsTrained),
            new LiveCount(network.WeightCount, LivePaths.Find(stored).Effective), analysis.Macs, analysis.LiveMacs, prunedNotZero, liveZeros, zerosWithoutMask, notFinite, negativeVariances,
            [.. network.Weights.Where(p => stored.Live(p) == 0).Select(p => p.Name)]);
    }
}
