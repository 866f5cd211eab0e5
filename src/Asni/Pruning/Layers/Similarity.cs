using System.Collections.Immutable;
using System.Numerics;
using Asni.Networks;

namespace Asni.Pruning.Layers;

/// <summary>
/// Linear centered kernel alignment of what nodes put out (Kornblith et al. 2019, arXiv 1905.00414): with K and L the Gram matrices of two nodes' outputs over a batch, centered,
/// tr(K L) / sqrt(tr(K K) tr(L L)); averaged over batches. 1: the same but for rotation and scale.
/// </summary>
internal static class Similarity
{
    /// <summary>Of sums of products, next to these.</summary>
    private const double Rounding = 1e-12;

    /// <returns>By node and node. 0 where a node puts out the same for all images.</returns>
    public static double[,] Measure(TrainedNetwork model, ImmutableArray<Node> nodes, Calibration calibration)
    {
        double[][][] grams = [.. nodes.Select(node => Grams(model, node, calibration))];
        int batches = grams[0].Length;
        var mean = new double[nodes.Length, nodes.Length];
        for (int i = 0; i < nodes.Length; i++)
            for (int j = 0; j < nodes.Length; j++)
                for (int b = 0; b < batches; b++) mean[i, j] += Of(grams[i][b], grams[j][b]) / batches;
        return mean;
    }

    /// <summary>Of two centered Gram matrices.</summary>
    public static double Of(ReadOnlySpan<double> k, ReadOnlySpan<double> l)
    {
        double kl = 0, kk = 0, ll = 0;
        for (int i = 0; i < k.Length; i++)
        {
            kl += k[i] * l[i];
            kk += k[i] * k[i];
            ll += l[i] * l[i];
        }
        return kk > 0 && ll > 0 ? kl / Math.Sqrt(kk * ll) : 0;
    }

    /// <summary>The centered Gram matrix of a batch: products of the images' numbers, less the means of rows and columns.</summary>
    /// <param name="activations">(images, numbers).</param>
    public static double[] Gram(float[] activations, int images)
    {
        int each = activations.Length / images;
        var gram = new double[images * images];
        Parallel.For(0, images, i =>
        {
            for (int j = i; j < images; j++) gram[i * images + j] = gram[j * images + i] = Product(activations.AsSpan(i * each, each), activations.AsSpan(j * each, each));
        });
        double whole = Enumerable.Range(0, images).Sum(i => gram[i * images + i]), left = 0;
        double[] rows = [.. gram.Chunk(images).Select(row => row.Average())];
        double all = rows.Average();
        for (int i = 0; i < images; i++)
            for (int j = 0; j < images; j++) gram[i * images + j] += all - rows[i] - rows[j];
        for (int i = 0; i < images; i++) left += gram[i * images + i];
        // Equal outputs leave the rounding of their products.
        if (left <= Rounding * whole) Array.Clear(gram);
        return gram;
    }

    private static double[][] Grams(TrainedNetwork model, Node node, Calibration calibration)
    {
        var grams = new List<double[]>();
        calibration.Push(model, node, (activations, images) => grams.Add(Gram(activations.ToArray(), images)));
        return [.. grams];
    }

    /// <summary>Added up in double: centering takes most of it away again.</summary>
    private static double Product(ReadOnlySpan<float> a, ReadOnlySpan<float> b)
    {
        Vector<double> sums = default;
        int i = 0;
        for (; i <= a.Length - Vector<float>.Count; i += Vector<float>.Count)
        {
            Vector.Widen(new Vector<float>(a[i..]), out Vector<double> aLow, out Vector<double> aHigh);
            Vector.Widen(new Vector<float>(b[i..]), out Vector<double> bLow, out Vector<double> bHigh);
            sums += aLow * bLow + aHigh * bHigh;
        }
        double sum = Vector.Sum(sums);
        for (; i < a.Length; i++) sum += (double)a[i] * b[i];
        return sum;
    }
}
