using System.Collections.Immutable;
using Asni.Networks;

namespace Asni.Pruning;

/// <summary>
/// One cut over all tensors by magnitudes that are rescaled in each tensor by itself. A rescaling does not change the order within a tensor: it decides how many weights each keeps, so
/// that it goes with any score. Of equal rescaled magnitudes those of earlier tensors are kept. Sorts on the host.
/// </summary>
internal abstract class RescaledPool : IAllocation
{
    public IEnumerable<Quota> Quotas(ImmutableArray<Parameter> tensors, double sparsity, Selection selection)
    {
        long keep = Math.Min(Quota.At(sparsity, tensors), selection.Live(tensors));
        float[][] magnitudes = [.. tensors.Select(selection.DownloadMagnitudes)];
        var scores = new double[tensors.Length][];
        Parallel.For(0, scores.Length, i =>
        {
            Array.Sort(magnitudes[i]);
            scores[i] = Rescale(magnitudes[i]);
        });
        return tensors.Zip(CountLargest(scores, keep), (p, kept) => new Quota([p], kept));
    }

    /// <summary>Of a tensor's live magnitudes in ascending order: as many numbers from 0 on, in ascending order too.</summary>
    public abstract double[] Rescale(ReadOnlySpan<float> ascending);

    /// <summary>How many of each row are among the K largest of all.</summary>
    private static long[] CountLargest(double[][] ascending, long keep)
    {
        // Numbers from 0 on are ordered as their bits are: the largest cut with at least K numbers from it on.
        long low = 0, high = BitConverter.DoubleToInt64Bits(double.PositiveInfinity);
        while (low < high)
        {
            long middle = low + (high - low + 1) / 2;
            if (ascending.Sum(row => CountFrom(row, middle)) >= keep) low = middle;
            else high = middle - 1;
        }
        long[] kept = [.. ascending.Select(row => CountFrom(row, low + 1))];
        long rest = keep - kept.Sum();
        for (int i = 0; i < kept.Length; i++)
        {
            long equal = Math.Min(rest, CountFrom(ascending[i], low) - kept[i]);
            kept[i] += equal;
            rest -= equal;
        }
        return kept;
    }

    /// <summary>How many are at least the number with these bits.</summary>
    private static long CountFrom(double[] ascending, long bits)
    {
        int low = 0, high = ascending.Length;
        while (low < high)
        {
            int middle = low + (high - low) / 2;
            if (BitConverter.DoubleToInt64Bits(ascending[middle]) >= bits) high = middle;
            else low = middle + 1;
        }
        return ascending.Length - low;
    }
}

/// <summary>
/// LAMP (Lee, Park, Mo, Ahn, Shin 2021, arXiv 2010.07611): w^2 divided by the sum of the squares of all weights of the tensor that are not smaller, equal ones counted in turn. The
/// largest weight of a tensor has the score 1, so that no tensor is emptied while K is at least their number.
/// </summary>
internal sealed class Lamp : RescaledPool
{
    public override double[] Rescale(ReadOnlySpan<float> ascending)
    {
        var scores = new double[ascending.Length];
        double sum = 0;
        for (int i = scores.Length - 1; i >= 0; i--)
        {
            double square = (double)ascending[i] * ascending[i];
            sum += square;
            scores[i] = sum > 0 ? square / sum : 0;
        }
        return scores;
    }
}

/// <summary>|w| divided by the tensor's L2 norm, as jaxpruner (Lee et al. 2023, arXiv 2304.14082) and NNCF (Kozlov et al. 2020, arXiv 2002.08679) do.</summary>
internal sealed class Normalized : RescaledPool
{
    public override double[] Rescale(ReadOnlySpan<float> ascending)
    {
        double squares = 0;
        foreach (float magnitude in ascending) squares += (double)magnitude * magnitude;
        double norm = Math.Sqrt(squares);
        var scores = new double[ascending.Length];
        for (int i = 0; i < scores.Length; i++) scores[i] = norm > 0 ? ascending[i] / norm : 0;
        return scores;
    }
}
