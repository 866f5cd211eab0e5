using Asni.Engine;
using Asni.Networks;

namespace Asni.Pruning;

/// <summary>
/// Units that unstructured pruning has killed: nobody reads them, or nothing feeds them and what they put out is 0. A network without them computes the
/// same logits exactly.
/// </summary>
public static class DeadUnits
{
    /// <summary>The network without its dead units. Taking some out may kill others, so it is done until none is left; a group keeps one unit at least.</summary>
    public static ModelSnapshot Remove(ModelSnapshot model)
    {
        for (bool changed = true; changed;)
        {
            changed = false;
            foreach (string name in PrunableGroups.Find(model.Network).Groups.Select(g => g.Name).ToArray())
            {
                PrunableGroup group = PrunableGroups.Find(model.Network).Groups.First(g => g.Name == name);
                int[] alive = [.. Enumerable.Range(0, group.Units).Where(u => !IsDead(model, group, u))];
                if (alive.Length == group.Units || group.Units == 1) continue;
                model = UnitPruner.Keep(model, group, alive.Length > 0 ? alive : [0]);
                changed = true;
            }
        }
        return model;
    }

    private static bool IsDead(ModelSnapshot model, PrunableGroup group, int unit) => !IsRead(model, group, unit) || (!IsFed(model, group, unit) && Constant(model, group, unit) == 0);

    private static bool IsRead(ModelSnapshot model, PrunableGroup group, int unit)
    {
        Parameter weight = UnitPruner.WeightOf(group.Consumer);
        float[] values = model.Values[weight.Index];
        int plane = weight.Filter.Height * weight.Filter.Width;
        for (int o = 0; o < weight.Filter.Out; o++)
            if (values.AsSpan(o * weight.Filter.FanIn + unit * plane, plane).ContainsAnyExcept(0f)) return true;
        return false;
    }

    private static bool IsFed(ModelSnapshot model, PrunableGroup group, int unit)
    {
        Parameter weight = UnitPruner.WeightOf(group.Producer);
        return model.Values[weight.Index].AsSpan(unit * weight.Filter.FanIn, weight.Filter.FanIn).ContainsAnyExcept(0f);
    }

    /// <summary>What a unit puts out in evaluation when nothing feeds it; null when that differs from place to place.</summary>
    private static double? Constant(ModelSnapshot model, PrunableGroup group, int unit)
    {
        double At(Parameter p) => model.Values[p.Index][unit];
        double value = UnitPruner.BiasOf(group.Producer) is { } bias ? At(bias) : 0;
        foreach (Node node in group.Members.Skip(1))
        {
            switch (node)
            {
                case BatchNormNode n:
                    value = (value - At(n.RunningMean)) * At(n.Weight) / Math.Sqrt(At(n.RunningVariance) + n.Epsilon) + At(n.Bias);
                    break;
                case ReluNode n:
                    value = Math.Clamp(value, 0, n.Six ? 6 : double.PositiveInfinity);
                    break;
                case ConvolutionNode n:
                    // A depthwise convolution makes another value at the border.
                    if (value != 0) return null;
                    value = n.Bias is { } b ? At(b) : 0;
                    break;
            }
        }
        return value;
    }
}
