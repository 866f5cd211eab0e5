namespace Asni.Engine;

/// <summary>A loss of a batch's logits.</summary>
/// <param name="logits">(N, classes).</param>
/// <param name="labels">N class indices.</param>
/// <param name="gradient">Receives its derivative by each logit.</param>
/// <returns>The loss.</returns>
internal delegate double LogitLoss(ReadOnlySpan<float> logits, ReadOnlySpan<int> labels, Span<float> gradient);

internal static class LogitLosses
{
    /// <summary>The sum of all logits.</summary>
    public static double Sum(ReadOnlySpan<float> logits, ReadOnlySpan<int> labels, Span<float> gradient)
    {
        gradient.Fill(1);
        double sum = 0;
        foreach (float logit in logits) sum += logit;
        return sum;
    }

    /// <summary>The logit of each sample's label, averaged over the batch.</summary>
    public static double LabelMean(ReadOnlySpan<float> logits, ReadOnlySpan<int> labels, Span<float> gradient)
    {
        int classes = logits.Length / labels.Length;
        gradient.Clear();
        double sum = 0;
        for (int n = 0; n < labels.Length; n++)
        {
            gradient[n * classes + labels[n]] = 1f / labels.Length;
            sum += logits[n * classes + labels[n]];
        }
        return sum / labels.Length;
    }

    /// <summary>Softmax cross-entropy of logits / T, added up over the batch and divided by a number of images that other batches belong to too.</summary>
    /// <param name="temperature">T.</param>
    public static LogitLoss CrossEntropy(double temperature, int images) => (logits, labels, gradient) =>
    {
        int classes = logits.Length / labels.Length;
        double loss = 0;
        for (int n = 0; n < labels.Length; n++)
        {
            ReadOnlySpan<float> x = logits.Slice(n * classes, classes);
            double max = double.NegativeInfinity, sum = 0;
            foreach (float logit in x) max = Math.Max(max, logit);
            foreach (float logit in x) sum += Math.Exp((logit - max) / temperature);
            loss += Math.Log(sum) - (x[labels[n]] - max) / temperature;
            for (int c = 0; c < classes; c++)
            {
                double p = Math.Exp((x[c] - max) / temperature) / sum;
                gradient[n * classes + c] = (float)((p - (c == labels[n] ? 1 : 0)) / temperature / images);
            }
        }
        return loss / images;
    };
}
