using Asni.Engine;
using Asni.Networks;
using Asni.Networks.Rewriting;

namespace Asni.Pruning;

/// <summary>
/// Units that unstructured pruning has killed: nobody reads them, or nothing feeds them. What an unfed unit puts out is a constant: 0 goes as it is, others go
/// into their reader's bias or batch-norm where no padding makes the border another case. A network without them computes the same logits.
/// </summary>
internal static class DeadUnits
{
    /// <summary>The network without its dead units. Taking some out may kill others, so it is done until none is left; a group keeps one unit at least, before a depthwise convolution two.</summary>
    public static TrainedNetwork Remove(TrainedNetwork model)
    {
        for (bool changed = true; changed;)
        {
            changed = false;
            foreach (string name in PrunableGroups.Find(model.Network).Hidden.Select(g => g.Name).ToArray())
            {
                PrunableGroup group = PrunableGroups.Find(model.Network).Groups.First(g => g.Name == name);
                int[] dead = [.. Enumerable.Range(0, group.Units).Where(u => IsDead(model, group, u))];
                dead = dead[Math.Max(0, dead.Length - (group.Units - group.Least))..];
                if (dead.Length == 0) continue;
                model = NarrowNetwork.Keep(Fold(model, group, dead), group, [.. Enumerable.Range(0, group.Units).Except(dead)]);
                changed = true;
            }
        }
        return model;
    }

    private static bool IsDead(TrainedNetwork model, PrunableGroup group, int unit)
    {
        if (!IsRead(model, group, unit)) return true;
        if (IsFed(model, group, unit) || Constant(model, group, unit) is not { } value) return false;
        return value == 0 || (group.Consumer is not ConvolutionNode { Padding: > 0 } && Offset(group) is { } offset && model.Masks[offset.Index] is null);
    }

    /// <summary>What takes up a constant that the consumer reads: its bias, or the running mean behind it.</summary>
    private static Parameter? Offset(PrunableGroup group) => group.Consumer.Bias ?? group.Norm?.RunningMean;

    private static TrainedNetwork Fold(TrainedNetwork model, PrunableGroup group, int[] dead)
    {
        (int Unit, double Value)[] constants = [.. dead.Where(u => IsRead(model, group, u)).Select(u => (u, Constant(model, group, u)!.Value)).Where(c => c.Value != 0)];
        if (constants.Length == 0) return model;
        Parameter weight = group.Consumer.Weight, offset = Offset(group)!;
        float[] values = model.Values[weight.Index];
        int plane = weight.Filter.Height * weight.Filter.Width;
        // A running mean is subtracted.
        int sign = group.Consumer.Bias is null ? -1 : 1;
        float[] offsets = [.. model.Values[offset.Index].Select((v, o) => (float)(v + sign * constants.Sum(c => c.Value * Sum(o, c.Unit))))];
        return model with { Values = model.Values.SetItem(offset.Index, offsets) };

        double Sum(int output, int unit)
        {
            double sum = 0;
            foreach (float w in values.AsSpan(output * weight.Filter.FanIn + unit * plane, plane)) sum += w;
            return sum;
        }
    }

    private static bool IsRead(TrainedNetwork model, PrunableGroup group, int unit)
    {
        Parameter weight = group.Consumer.Weight;
        float[] values = model.Values[weight.Index];
        int plane = weight.Filter.Height * weight.Filter.Width;
        for (int o = 0; o < weight.Filter.Out; o++)
            if (values.AsSpan(o * weight.Filter.FanIn + unit * plane, plane).ContainsAnyExcept(0f)) return true;
        return false;
    }

    private static bool IsFed(TrainedNetwork model, PrunableGroup group, int unit)
    {
        Parameter weight = group.Producer.Weight;
        return model.Values[weight.Index].AsSpan(unit * weight.Filter.FanIn, weight.Filter.FanIn).ContainsAnyExcept(0f);
    }

    /// <summary>What a unit puts out in evaluation when nothing feeds it; null when that differs from place to place.</summary>
    private static double? Constant(TrainedNetwork model, PrunableGroup group, int unit)
    {
        double At(Parameter p) => model.Values[p.Index][unit];
        double value = group.Producer.Bias is { } bias ? At(bias) : 0;
        foreach (Node node in group.Members.Skip(1))
        {
            switch (node)
            {
                case BatchNormNode n:
                    value = (value - At(n.RunningMean)) * At(n.Weight) / Math.Sqrt(At(n.RunningVariance) + n.Epsilon) + At(n.Bias);
                    break;
                case ActivationNode n:
                    value = ActivationFunction.Get(n.Activation).Value(value);
                    break;
                case ConvolutionNode n:
                    // A depthwise convolution makes another value at the border.
                    if (value != 0) return null;
                    value = n.Bias is { } b ? At(b) : 0;
                    break;
                case MaxPoolNode or GlobalAveragePoolNode:
                    break;
                default:
                    throw new NotSupportedException($"what '{node.Name}' makes of a constant is not known");
            }
        }
        return value;
    }
}
