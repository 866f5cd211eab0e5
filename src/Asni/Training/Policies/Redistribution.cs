using Asni.Pruning;

namespace Asni.Training.Policies;

/// <summary>
/// How many weights each layer drops and grows when layers trade them (Dettmers, Zettlemoyer 2019, arXiv 1907.04840): each drops a share of its own, and as many as all have dropped
/// together grow, shared out in proportion to a signal of each layer.
/// </summary>
/// <param name="Drop">Of each layer.</param>
/// <param name="Grow">Of each layer, with the same sum.</param>
internal sealed record Redistribution(long[] Drop, long[] Grow)
{
    /// <summary>A layer less sparse than this that is about to grow drops at most the share of it that is dead (from the authors' code): it would soon be dense.</summary>
    private const double NearlyDense = 0.2;

    /// <param name="fraction">Share of its live weights that a layer drops, rounded down.</param>
    /// <param name="elements">Of each layer.</param>
    /// <param name="live">Of each layer.</param>
    /// <param name="signal">Of each layer, not negative.</param>
    public static Redistribution Compute(double fraction, long[] elements, long[] live, double[] signal)
    {
        int layers = elements.Length;
        double mean = signal.Sum() / layers;
        var drop = new long[layers];
        for (int i = 0; i < layers; i++)
        {
            double dead = (double)(elements[i] - live[i]) / elements[i];
            drop[i] = (long)((dead < NearlyDense && signal[i] > mean ? Math.Min(fraction, dead) : fraction) * live[i]);
        }
        long[] room = [.. elements.Select((n, i) => n - live[i] + drop[i])];
        long total = drop.Sum();
        return new Redistribution(drop, Apportionment.Round(total, Share(total, signal, room), room));
    }

    /// <summary>In proportion to the signal; what a layer has no room for goes to the others, in proportion too, and to layers without a signal last, by their room.</summary>
    private static double[] Share(double total, double[] signal, long[] room)
    {
        var shares = new double[signal.Length];
        var open = Enumerable.Range(0, signal.Length).ToList();
        double[] weight = signal;
        while (open.Count > 0)
        {
            double sum = open.Sum(i => weight[i]);
            if (!(sum > 0))
            {
                if (weight != signal) break;
                weight = [.. room];
                continue;
            }
            var full = open.Where(i => total * weight[i] / sum >= room[i]).ToList();
            if (full.Count == 0)
            {
                foreach (int i in open) shares[i] = total * weight[i] / sum;
                break;
            }
            foreach (int i in full) shares[i] = room[i];
            total -= full.Sum(i => room[i]);
            open.RemoveAll(full.Contains);
        }
        return shares;
    }
}
