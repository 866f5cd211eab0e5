using Asni.Data;
using Asni.Devices;
using Asni.Engine;
using Asni.Networks;
using Asni.Pruning;

namespace Asni.Training;

/// <summary>
/// Batch-norm's running statistics measured anew: the means over some batches of training images, without augmentation, of what batch-norm normalizes with in training (adaptive batch-norm: Li et al.
/// 2020, arXiv 2007.02491). Pruning changes what they are statistics of.
/// </summary>
internal static class Recalibration
{
    /// <summary>Gradients of the model are lost.</summary>
    /// <param name="seed">Of the choice of images.</param>
    public static void Run(Model model, Dataset data, ImageBatches images, ulong seed)
    {
        BatchNormNode[] norms = [.. model.Network.Nodes.OfType<BatchNormNode>().Where(n => n.Momentum > 0)];
        var loader = new BatchLoader(data, images.Size, Augmentation.None, shuffle: true, seed);
        using var plan = new Plan(model, loader.BatchSize, training: true);
        (Parameter Statistic, float Momentum)[] statistics = [.. norms.SelectMany(n => (Parameter[])[n.RunningMean, n.RunningVariance], (n, p) => (p, n.Momentum))];
        double[][] sums = [.. statistics.Select(s => new double[s.Statistic.Elements])];
        long seen = 0;
        foreach (Batch batch in loader.Epoch(0).Take(images.Count))
        {
            // From 0, a step leaves momentum times the batch's own.
            foreach ((Parameter p, _) in statistics) model.Parameters.Upload(p.Index, ParameterSlot.Value, new float[p.Elements]);
            plan.Load(batch, data.Normalization);
            plan.RunTraining();
            for (int s = 0; s < statistics.Length; s++)
            {
                var one = new float[sums[s].Length];
                model.Parameters.Download(statistics[s].Statistic.Index, ParameterSlot.Value, one);
                for (int c = 0; c < one.Length; c++) sums[s][c] += (double)one[c] / statistics[s].Momentum * batch.Count;
            }
            seen += batch.Count;
        }
        for (int s = 0; s < statistics.Length; s++)
            model.Parameters.Upload(statistics[s].Statistic.Index, ParameterSlot.Value, [.. sums[s].Select(sum => (float)(sum / seen))]);
    }
}
