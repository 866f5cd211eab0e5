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
    /// <summary>Gradients of the model are lost. Where the device lacks the memory, batches are halved until they fit.</summary>
    /// <param name="seed">Of the choice of images.</param>
    /// <exception cref="OperationCanceledException">The statistics are as before.</exception>
    public static void Run(Model model, Dataset data, ImageBatches images, ulong seed, CancellationToken cancellation)
    {
        (Parameter Statistic, float Momentum)[] statistics = [.. model.Network.Nodes.OfType<BatchNormNode>().Where(n => n.Momentum > 0)
            .SelectMany(n => (Parameter[])[n.RunningMean, n.RunningVariance], (n, p) => (p, n.Momentum))];
        float[][] before = [.. statistics.Select(s => new float[s.Statistic.Elements])];
        for (int s = 0; s < before.Length; s++) model.Parameters.Download(statistics[s].Statistic.Index, ParameterSlot.Value, before[s]);
        try
        {
            using Plan plan = NewPlan(model, Math.Min(images.Size, data.Count));
            Upload(Measure(model, plan, data, images, seed, statistics, cancellation));
        }
        catch (OperationCanceledException)
        {
            Upload(before);
            throw;
        }

        void Upload(float[][] values)
        {
            for (int s = 0; s < values.Length; s++) model.Parameters.Upload(statistics[s].Statistic.Index, ParameterSlot.Value, values[s]);
        }
    }

    private static float[][] Measure(Model model, Plan plan, Dataset data, ImageBatches images, ulong seed, (Parameter Statistic, float Momentum)[] statistics, CancellationToken cancellation)
    {
        double[][] sums = [.. statistics.Select(s => new double[s.Statistic.Elements])];
        var loader = new BatchLoader(data, plan.BatchSize, Augmentation.None, shuffle: true, seed);
        long wanted = (long)images.Count * images.Size, seen = 0;
        foreach (Batch batch in loader.Epoch(0))
        {
            cancellation.ThrowIfCancellationRequested();
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
            if (seen >= wanted) break;
        }
        return [.. sums.Select(sum => sum.Select(v => (float)(v / seen)).ToArray())];
    }

    private static Plan NewPlan(Model model, int batch)
    {
        try
        {
            return new Plan(model, batch, training: true);
        }
        catch (DeviceMemoryException) when (batch > 1)
        {
            return NewPlan(model, batch / 2);
        }
    }
}
