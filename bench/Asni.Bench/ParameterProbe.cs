using System.Collections.Immutable;
using Asni.Devices;
using Asni.Networks;
using Asni.Optimizers;
using Asni.Tensors;

namespace Asni.Bench;

/// <summary>What is computed over all weights of a network at once, by plain loops in double over the weights on the host.</summary>
internal sealed class ParameterProbe(DeviceParameters parameters, string net, ImmutableArray<float[]> values)
{
    private const int ProbesPerParameter = 64;

    public ImmutableArray<float[]> Values { get; } = values;

    /// <summary>Uploads the values, random gradients and a random optimizer state (the second moment is not negative).</summary>
    public void Load()
    {
        foreach (Parameter p in parameters.Parameters)
        {
            parameters.Upload(p.Index, ParameterSlot.Value, Values[p.Index]);
            if (!p.IsTrained) continue;
            parameters.Upload(p.Index, ParameterSlot.Gradient, Slot(p, 1));
            parameters.Upload(p.Index, ParameterSlot.State0, Slot(p, 2));
            parameters.Upload(p.Index, ParameterSlot.State1, [.. Slot(p, 3).Select(MathF.Abs)]);
        }
    }

    public void CheckThreshold(int[] weights, long keep, Threshold cut)
    {
        long above = 0, equal = 0;
        foreach (int index in weights)
        {
            foreach (float value in Values[index])
            {
                float magnitude = MathF.Abs(value);
                if (magnitude > cut.Value) above++;
                else if (magnitude == cut.Value) equal++;
            }
        }
        Answers.Near(above + Math.Min(cut.KeepEqual, equal), keep, 0, $"the number of weights of {net} that the threshold keeps");
    }

    public void CheckSignStatistics(int[] weights, float[] pivots, SignStatistics[] computed)
    {
        for (int i = 0; i < weights.Length; i++)
        {
            double above = 0, below = 0;
            long countAbove = 0, countBelow = 0;
            foreach (float value in Values[weights[i]])
            {
                if (value > pivots[i])
                {
                    above += value;
                    countAbove++;
                }
                else if (value < pivots[i])
                {
                    below += value;
                    countBelow++;
                }
            }
            string layer = $"{parameters.Parameters[weights[i]].Name} of {net}";
            double tolerance = 1e-10 * Values[weights[i]].Length;
            Answers.Near(computed[i].CountAbove, countAbove, 0, $"the number of weights above the pivot in {layer}");
            Answers.Near(computed[i].CountBelow, countBelow, 0, $"the number of weights below the pivot in {layer}");
            Answers.Near(computed[i].SumAbove, above, tolerance, $"the sum of weights above the pivot in {layer}");
            Answers.Near(computed[i].SumBelow, below, tolerance, $"the sum of weights below the pivot in {layer}");
        }
    }

    /// <summary>One step from what <see cref="Load"/> left, at elements of every trained parameter (PyTorch's formulas).</summary>
    public void CheckUpdate(OptimizerSettings optimizer, double learningRate, long step)
    {
        parameters.Update(optimizer.At(learningRate, step));
        bool adam = optimizer.Kind == OptimizerKind.Adam;
        var random = new SplitMix64(5);
        foreach (Parameter p in parameters.Parameters.Where(p => p.IsTrained))
        {
            float[] g = Slot(p, 1), first = Slot(p, 2), second = Slot(p, 3), w = Values[p.Index];
            float[] newW = Download(p, ParameterSlot.Value), newFirst = Download(p, ParameterSlot.State0);
            float[] newSecond = adam ? Download(p, ParameterSlot.State1) : second;
            void Check(int i)
            {
                (double expectedW, double expectedFirst, double expectedSecond) = adam
                    ? Adam(optimizer, learningRate, step, w[i], g[i], first[i], Math.Abs(second[i]))
                    : Momentum(optimizer, learningRate, w[i], g[i], first[i], second[i]);
                string what = $"{optimizer.Kind} of {net}: element {i} of {p.Name}";
                Answers.Near(newFirst[i], expectedFirst, 1e-6, what + ", its first state,");
                Answers.Near(newSecond[i], expectedSecond, 1e-6, what + ", its second state,");
                Answers.Near(newW[i], expectedW, 1e-6 + 1e-4 * Math.Abs(expectedW - w[i]), what);
            }
            Check(0);
            Check(w.Length - 1);
            for (int probe = 0; probe < ProbesPerParameter; probe++) Check(random.Next(w.Length));
        }
    }

    private static (double, double, double) Adam(OptimizerSettings o, double learningRate, long step, double w, double g, double first, double second)
    {
        first = o.Beta1 * first + (1 - o.Beta1) * g;
        second = o.Beta2 * second + (1 - o.Beta2) * g * g;
        double corrected = Math.Sqrt(second / (1 - Math.Pow(o.Beta2, step))) + o.Epsilon;
        return (w - learningRate / (1 - Math.Pow(o.Beta1, step)) * first / corrected, first, second);
    }

    /// <summary>SGD with momentum has no second state: it stays what it was.</summary>
    private static (double, double, double) Momentum(OptimizerSettings o, double learningRate, double w, double g, double first, double second)
    {
        first = o.Momentum * first + g;
        return (w - learningRate * first, first, second);
    }

    private float[] Slot(Parameter p, ulong purpose) => Answers.Random(p.Elements, SplitMix64.Fork(purpose, (ulong)p.Index).State);

    private float[] Download(Parameter p, ParameterSlot slot)
    {
        var values = new float[p.Elements];
        parameters.Download(p.Index, slot, values);
        return values;
    }
}
