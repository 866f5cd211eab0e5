using Asni.Tensors;

namespace Asni.Bench;

/// <summary>
/// Batch-norm + add + ReLU, forward and backward, by its formulas in double, a channel at a time: the output everywhere, the gradients, and what
/// holds of any right dx: that it sums to 0 over the channel and is orthogonal to the normalized input.
/// </summary>
internal sealed class BatchNormProbe(string layer, int batch, Chw shape, float epsilon)
{
    private const double Tolerance = 1e-4;

    public required float[] X { get; init; }
    public required float[] Skip { get; init; }
    public required float[] W { get; init; }
    public required float[] B { get; init; }

    private int Count => batch * shape.Height * shape.Width;

    /// <summary>Standard deviation over the batch of every channel (with epsilon, as batch-norm divides by it).</summary>
    public float[] Deviations() => [.. Enumerable.Range(0, shape.Channels).Select(c => (float)Statistics(c).Deviation)];

    public void CheckOutput(int c, float[] y)
    {
        (double mean, double deviation) = Statistics(c);
        string what = $"the output of batch-norm of {layer} in channel {c}";
        foreach (int i in Channel(c)) Answers.Near(y[i], Math.Max(0, (X[i] - mean) / deviation * W[c] + B[c] + Skip[i]), Tolerance, what);
    }

    /// <param name="y">The output, already found right.</param>
    /// <param name="dy">Its gradient as it was before the pass.</param>
    public void CheckGradients(int c, float[] y, float[] dy, float[] dx, float[] dskip, float dw, float db)
    {
        (double mean, double deviation) = Statistics(c);
        string place = $"of batch-norm of {layer} in channel {c}", skip = $"the skip gradient {place}", input = $"dx {place}";
        double sum = 0, product = 0, magnitude = 0, sumDx = 0, productDx = 0;
        foreach (int i in Channel(c))
        {
            double g = y[i] > 0 ? dy[i] : 0, normalized = (X[i] - mean) / deviation;
            Answers.Near(dskip[i], g, 0, skip);
            sum += g;
            product += g * normalized;
            magnitude += Math.Abs(g);
            sumDx += dx[i];
            productDx += dx[i] * normalized;
        }
        Answers.Near(db, sum, Tolerance * magnitude, $"the bias gradient {place}");
        Answers.Near(dw, product, Tolerance * magnitude, $"the weight gradient {place}");
        double scale = W[c] / deviation;
        Answers.Near(sumDx, 0, Tolerance * magnitude * scale, $"the sum of dx {place}");
        Answers.Near(productDx, 0, Tolerance * magnitude * scale, $"the sum of dx times the normalized input {place}");
        foreach (int i in Channel(c))
        {
            double g = y[i] > 0 ? dy[i] : 0, normalized = (X[i] - mean) / deviation;
            Answers.Near(dx[i], scale * (g - sum / Count - normalized * product / Count), Tolerance, input);
        }
    }

    private (double Mean, double Deviation) Statistics(int c)
    {
        double mean = 0, squares = 0;
        foreach (int i in Channel(c)) mean += X[i];
        mean /= Count;
        foreach (int i in Channel(c)) squares += (X[i] - mean) * (X[i] - mean);
        return (mean, Math.Sqrt(squares / Count + epsilon));
    }

    /// <summary>Places of a channel's elements in NCHW order.</summary>
    private IEnumerable<int> Channel(int c)
    {
        int plane = shape.Height * shape.Width;
        for (int n = 0; n < batch; n++)
            for (int p = 0; p < plane; p++) yield return (n * shape.Channels + c) * plane + p;
    }
}
