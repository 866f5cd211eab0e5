using Asni.Engine;
using Asni.Networks;
using Asni.Tensors;

namespace Asni.Pruning;

/// <summary>Takes units out of a network: what remains is physically smaller, with the kept rows, columns and batch-norm numbers as they were.</summary>
public static class UnitPruner
{
    /// <summary>The network with only these units in a group.</summary>
    /// <param name="kept">Ascending.</param>
    public static TrainedNetwork Keep(TrainedNetwork model, PrunableGroup group, int[] kept)
    {
        Network network = model.Network, narrow = NarrowNetwork.Of(network, new Dictionary<string, int> { [group.Name] = kept.Length });
        var values = model.Values.ToArray();
        var masks = model.Masks.ToArray();
        void Select(Parameter? p, bool outputs)
        {
            if (p is null) return;
            values[p.Index] = Selected(values[p.Index], p.Filter, kept, outputs);
            if (masks[p.Index] is { } mask) masks[p.Index] = Selected(mask, p.Filter, kept, outputs);
        }
        foreach (Node member in group.Members)
            foreach (Parameter p in ParametersOf(member)) Select(p, outputs: true);
        Select(WeightOf(group.Consumer), outputs: false);
        return new TrainedNetwork(narrow, [.. values], [.. masks]);
    }

    internal static Parameter WeightOf(Node layer) => layer switch
    {
        ConvolutionNode n => n.Weight,
        LinearNode n => n.Weight,
        _ => throw new ArgumentException($"{layer.Name} has no weight", nameof(layer)),
    };

    internal static Parameter? BiasOf(Node layer) => layer is ConvolutionNode c ? c.Bias : layer is LinearNode l ? l.Bias : null;

    private static IEnumerable<Parameter> ParametersOf(Node node) => node switch
    {
        ConvolutionNode n => n.Bias is { } b ? [n.Weight, b] : [n.Weight],
        LinearNode n => n.Bias is { } b ? [n.Weight, b] : [n.Weight],
        BatchNormNode n => [n.Weight, n.Bias, n.RunningMean, n.RunningVariance],
        _ => [],
    };

    private static float[] Selected(float[] values, FilterShape filter, int[] kept, bool outputs)
    {
        var result = new List<float>();
        foreach ((int from, int length) in Runs(filter, kept, outputs)) result.AddRange(values.AsSpan(from, length));
        return [.. result];
    }

    private static Mask? Selected(Mask mask, FilterShape filter, int[] kept, bool outputs)
    {
        var result = new Mask(Runs(filter, kept, outputs).Sum(r => (long)r.Length), live: false);
        long at = 0;
        foreach ((int from, int length) in Runs(filter, kept, outputs))
            for (int i = 0; i < length; i++) result[at++] = mask[from + i];
        return result.Live == result.Length ? null : result;
    }

    /// <summary>The runs of elements that belong to the kept outputs, or to the kept inputs of every output.</summary>
    private static IEnumerable<(int From, int Length)> Runs(FilterShape filter, int[] kept, bool outputs)
    {
        if (outputs)
        {
            foreach (int o in kept) yield return (o * filter.FanIn, filter.FanIn);
            yield break;
        }
        int plane = filter.Height * filter.Width;
        for (int o = 0; o < filter.Out; o++)
            foreach (int i in kept) yield return (o * filter.FanIn + i * plane, plane);
    }
}
