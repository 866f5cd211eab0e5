using Asni.Devices;
using Asni.Engine;
using Asni.Networks;
using Asni.Tensors;

namespace Asni.Pruning;

/// <summary>
/// i-SpaSP (Wolfe, Kyrillidis 2021, arXiv 2112.04905): the units of a group that best reproduce the block's output, by sparse signal recovery.
/// With g the consumer and its batch-norm in evaluation mode, S the units kept so far, and T iterations,
/// <code>
/// V = g(H) - g(H_S)                              V = g(H) for the empty set
/// y = sum over samples and positions of d(||V||^2 / 2) / dH, one number a unit
/// Omega = the 2s units with the largest y, and S
/// S = the s units of Omega with the largest sum of H
/// </code>
/// g is affine, so the gradient W^T V summed over samples is that of the summed activations: one pass forward and back through g an iteration,
/// whatever the number of samples.
/// </summary>
internal sealed class ISpaSP : IDisposable
{
    private readonly PrunableGroup _group;
    private readonly HiddenSums _hidden;
    private readonly double[] _sums;
    private readonly Device _device;
    private readonly ConvolutionOperation _layer;
    private readonly DeviceParameters _parameters;
    private readonly DeviceBuffer _memory;
    private readonly DeviceTensor _x, _y, _dx;
    private readonly float[] _offsets;

    /// <param name="hidden">Of this group in this model.</param>
    public ISpaSP(TrainedNetwork model, PrunableGroup group, HiddenSums hidden, Device device)
    {
        (_group, _hidden, _device) = (group, hidden, device);
        _sums = hidden.ByUnit(group.Units);
        (float[] weights, double[] offsets) = Folded(model, group);
        // V of the empty set has each sample's offset.
        _offsets = [.. offsets.Select(o => (float)(o * hidden.Samples))];
        Parameter weight = group.Consumer.Weight;
        (int stride, int padding) = group.Consumer is ConvolutionNode c ? (c.Stride, c.Padding) : (1, 0);
        var spec = new ConvolutionSpec(1, group.Hidden.Output, weight.Filter, stride, padding, 1, true, Activation.None, true, true);
        _layer = device.CreateConvolution(spec);
        _parameters = device.CreateParameters(
        [
            weight with { Index = 0 },
            new Parameter(1, "offset", ParameterKind.Bias, new Shape(weight.Filter.Out), new FilterShape(weight.Filter.Out, 1, 1, 1)),
        ]);
        _parameters.Upload(0, ParameterSlot.Value, weights);
        long input = Round(device.ActivationBytes(1, spec.Input)), output = Round(device.ActivationBytes(1, spec.Output));
        _memory = device.Allocate(2 * input + output);
        _x = new DeviceTensor(_memory, 0, 1, spec.Input);
        _dx = new DeviceTensor(_memory, input, 1, spec.Input);
        _y = new DeviceTensor(_memory, 2 * input, 1, spec.Output);
    }

    /// <summary>The units to keep, ascending.</summary>
    /// <param name="keep">s, 1 to all.</param>
    public int[] Select(int keep, int iterations)
    {
        int[] kept = [];
        for (int t = 0; t < iterations; t++)
        {
            double[] importance = Importance(kept);
            int[] candidates = [.. Largest(Enumerable.Range(0, _group.Units), importance, 2 * keep).Union(kept)];
            int[] next = [.. Largest(candidates, _sums, keep).Order()];
            // What gave the same set once will give it again.
            if (next.AsSpan().SequenceEqual(kept)) break;
            kept = next;
        }
        return kept;
    }

    /// <summary>y: the sum over samples and positions of d(||V||^2 / 2) / dH of each unit, V what is left of the output without the kept units' part.</summary>
    public double[] Importance(ReadOnlySpan<int> kept)
    {
        int positions = _group.Hidden.Output.Positions;
        float[] rest = [.. _hidden.Sums];
        foreach (int unit in kept) rest.AsSpan(unit * positions, positions).Clear();
        _parameters.Upload(1, ParameterSlot.Value, kept.IsEmpty ? _offsets : new float[_offsets.Length]);
        _device.Upload(rest, _x);
        _layer.Forward(_x, _parameters.Value(0), _parameters.Value(1), _y);
        _layer.BackwardData(_y, _parameters.Value(0), accumulate: false, _dx);
        var gradient = new float[rest.Length];
        _device.Download(_dx, gradient);
        return new HiddenSums(gradient, 1).ByUnit(_group.Units);
    }

    public void Dispose()
    {
        _layer.Dispose();
        _parameters.Dispose();
        _memory.Dispose();
    }

    private static long Round(long bytes) => (bytes + 255) / 256 * 256;

    /// <summary>The first by value, ties by lower index.</summary>
    private static IEnumerable<int> Largest(IEnumerable<int> units, double[] values, int count) => units.OrderByDescending(u => values[u]).ThenBy(u => u).Take(count);

    /// <summary>The consumer with its batch-norm folded in: g(H) = W * H + offset.</summary>
    internal static (float[] Weights, double[] Offsets) Folded(TrainedNetwork model, PrunableGroup group)
    {
        Parameter weight = group.Consumer.Weight;
        float[] weights = [.. model.Values[weight.Index]];
        int outputs = weight.Filter.Out, fanIn = weight.Filter.FanIn;
        double[] offsets = group.Consumer.Bias is { } bias ? [.. model.Values[bias.Index].Select(b => (double)b)] : new double[outputs];
        if (group.Norm is not { } norm) return (weights, offsets);
        for (int o = 0; o < outputs; o++)
        {
            double scale = model.Values[norm.Weight.Index][o] / Math.Sqrt((double)model.Values[norm.RunningVariance.Index][o] + norm.Epsilon);
            for (int i = 0; i < fanIn; i++) weights[o * fanIn + i] = (float)(weights[o * fanIn + i] * scale);
            offsets[o] = (offsets[o] - model.Values[norm.RunningMean.Index][o]) * scale + model.Values[norm.Bias.Index][o];
        }
        return (weights, offsets);
    }
}
