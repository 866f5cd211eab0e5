using System.Collections.Immutable;
using Asni.Devices;
using Asni.Engine;
using Asni.Networks;

namespace Asni.Pruning.Units;

/// <summary>
/// How many units of a group are not redundant by their gradients: the rank of the matrix whose rows are the gradients of units' filters, batch after batch side by side, up to 1 % of its energy (the sum of
/// squares). It counts by elimination: the unit with the most energy left is taken, and what it accounts for is taken from the others, until no more than 1 % is left. Two equal units count as one,
/// and one without a gradient as none. A small form of pruning by singularities of gradient matrices.
/// </summary>
internal static class GradientRank
{
    private const double Negligible = 0.01;

    /// <returns>By group, at least 1.</returns>
    public static int[] Measure(TrainedNetwork model, ImmutableArray<PrunableGroup> groups, Calibration calibration)
    {
        using var on = new Model(model.Network, calibration.Device);
        on.Load(model);
        using var gradient = new LossGradient(on, calibration.Draw(), calibration.Images.Size) { Cancellation = calibration.Cancellation };
        Parameter[] made = [.. groups.SelectMany(g => g.Producers).Select(p => p.Weight).DistinctBy(w => w.Index)];
        int[] indices = [.. made.Select(w => w.Index)];
        var gradients = made.ToDictionary(w => w.Index, w => new float[w.Elements]);
        double[][] products = [.. groups.Select(g => new double[g.Units * g.Units])];
        foreach (IGradient batch in gradient.Batches)
        {
            // A slot of the optimizer's: no step follows.
            on.Parameters.ResetState();
            batch.AddTo(ParameterSlot.State0, indices, 1);
            foreach (int index in indices) on.Parameters.Download(index, ParameterSlot.State0, gradients[index]);
            for (int g = 0; g < groups.Length; g++)
                foreach (Parameter w in groups[g].Producers.Select(p => p.Weight)) AddProducts(gradients[w.Index], groups[g].Units, products[g]);
        }
        return [.. groups.Select((group, g) => Of(products[g], group.Units))];
    }

    /// <summary>Of a matrix, given the products of its rows.</summary>
    /// <param name="products">Positive semidefinite, row by row; overwritten.</param>
    /// <exception cref="DivergenceException">They are no finite numbers.</exception>
    public static int Of(double[] products, int rows)
    {
        double energy = Enumerable.Range(0, rows).Sum(i => products[i * rows + i]), left = energy;
        if (!double.IsFinite(energy)) throw new DivergenceException("the gradients by which units are counted are no finite numbers: the network's values are too large.");
        int rank = 0;
        while (rank < rows && left > Negligible * energy)
        {
            int pivot = Enumerable.Range(0, rows).MaxBy(i => products[i * rows + i]);
            double norm = products[pivot * rows + pivot];
            if (!(norm > 0)) break;
            double[] column = [.. Enumerable.Range(0, rows).Select(i => products[i * rows + pivot])];
            Parallel.For(0, rows, i =>
            {
                for (int j = 0; j < rows; j++) products[i * rows + j] -= column[i] * column[j] / norm;
            });
            // Whose energy is gone is not taken again, whatever rounding leaves.
            products[pivot * rows + pivot] = double.NegativeInfinity;
            left = Enumerable.Range(0, rows).Sum(i => Math.Max(0, products[i * rows + i]));
            rank++;
        }
        return Math.Max(1, rank);
    }

    private static void AddProducts(float[] gradients, int rows, double[] to)
    {
        int each = gradients.Length / rows;
        Parallel.For(0, rows, i =>
        {
            ReadOnlySpan<float> a = gradients.AsSpan(i * each, each);
            for (int j = i; j < rows; j++)
            {
                ReadOnlySpan<float> b = gradients.AsSpan(j * each, each);
                double sum = 0;
                for (int k = 0; k < a.Length; k++) sum += (double)a[k] * b[k];
                to[i * rows + j] += sum;
                if (j > i) to[j * rows + i] += sum;
            }
        });
    }
}
