using System.Collections.Immutable;
using Asni.Devices;
using Asni.Engine;
using Asni.Networks;

namespace Asni.Pruning.Units;

/// <summary>
/// The sum of a dL/da over a unit's activations a, wherever they are read: the first-order change of the loss when the unit becomes 0. For a unit's readers with weights w it is
/// the sum of w dL/dw over the weights that read it, so that gradients of weights are all it takes. Batch-norm takes its running statistics.
/// <list type="bullet">
/// <item>Squared, of the mean loss of each batch, and averaged over batches (Molchanov et al. 2019, arXiv 1906.10771, with gates at the activations);</item>
/// <item>or its magnitude for each image, averaged over images and divided by the group's norm (Molchanov et al. 2017, arXiv 1611.06440).</item>
/// </list>
/// </summary>
/// <param name="perImage">The second.</param>
internal sealed class TaylorExpansion(bool perImage) : IUnitScore
{
    public double[][] Score(TrainedNetwork model, ImmutableArray<PrunableGroup> groups, Calibration calibration)
    {
        using var on = new Model(model.Network, calibration.Device);
        on.Load(model);
        ScoringImages images = calibration.Draw();
        int batch = perImage ? 1 : Math.Min(calibration.Images.Size, images.Indices.Length);
        using var gradient = new LossGradient(on, images, batch, meanOver: batch) { Cancellation = calibration.Cancellation };
        Parameter[] read = [.. groups.SelectMany(g => g.Consumers).Select(c => c.Weight).DistinctBy(w => w.Index)];
        int[] indices = [.. read.Select(w => w.Index)];
        var gradients = read.ToDictionary(w => w.Index, w => new float[w.Elements]);
        double[][] scores = [.. groups.Select(g => new double[g.Units])];
        IReadOnlyList<IGradient> batches = gradient.Batches;
        for (int b = 0; b < batches.Count; b++)
        {
            // The last one may have fewer: its loss, too, is a mean.
            double ofMean = (double)batch / Math.Min(batch, images.Indices.Length - b * batch);
            // A slot of the optimizer's: no step follows.
            on.Parameters.ResetState();
            batches[b].AddTo(ParameterSlot.State0, indices, 1);
            foreach (int index in indices) on.Parameters.Download(index, ParameterSlot.State0, gradients[index]);
            Parallel.For(0, scores.Length, g =>
            {
                for (int u = 0; u < scores[g].Length; u++)
                {
                    double change = ofMean * groups[g].Consumers.Sum(c => Product(model.Values[c.Weight.Index], gradients[c.Weight.Index], c.Weight.Filter, u));
                    scores[g][u] += (perImage ? Math.Abs(change) : change * change) / batches.Count;
                }
            });
        }
        return perImage ? [.. scores.Select(Normalized)] : scores;
    }

    private static double[] Normalized(double[] scores) => Math.Sqrt(scores.Sum(s => s * s)) is > 0 and var norm ? [.. scores.Select(s => s / norm)] : scores;

    /// <summary>Over the weights that read a unit.</summary>
    private static double Product(float[] weights, float[] gradients, FilterShape filter, int unit)
    {
        int plane = filter.Height * filter.Width;
        double sum = 0;
        for (int o = 0; o < filter.Out; o++)
        {
            int from = o * filter.FanIn + unit * plane;
            for (int i = from; i < from + plane; i++) sum += (double)weights[i] * gradients[i];
        }
        return sum;
    }
}
