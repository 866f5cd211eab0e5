using Asni.Devices;
using Asni.Engine;
using Asni.Networks;
using Asni.Pruning;
using Asni.Tensors;

namespace SyntheticPruning;

/// <summary>A two-layer network, its hidden activations, and what is left of its output without some of the units.</summary>
internal sealed class Problem
{
    private readonly double[,] _hidden, _weights;
    private readonly int _width, _outputs, _samples;
    private readonly TrainedNetwork _model;
    private readonly PrunableGroup _group;

    /// <summary>Row i of the activations, in a random order, is uniform in [0, i^(-1/p)); the weights are normal.</summary>
    public Problem(int width, int outputs, int samples, double p, ulong seed)
    {
        (_width, _outputs, _samples) = (width, outputs, samples);
        var random = SplitMix64.Fork(seed);
        int[] rank = [.. Enumerable.Range(1, width)];
        random.Shuffle(rank.AsSpan());
        _hidden = new double[width, samples];
        _weights = new double[outputs, width];
        for (int u = 0; u < width; u++)
            for (int n = 0; n < samples; n++) _hidden[u, n] = Math.Pow(rank[u], -1 / p) * random.NextDouble();
        for (int o = 0; o < outputs; o++)
            for (int u = 0; u < width; u++) _weights[o, u] = random.NextNormal() / Math.Sqrt(outputs);
        Network network = new NetworkBuilder("synthetic", new Chw(1, 1, 1)).Linear("0", width).Relu("1").Linear("2", outputs, bias: false).Build();
        float[][] values = [.. network.Parameters.Select(q => new float[q.Elements])];
        for (int i = 0; i < _weights.Length; i++) values[^1][i] = (float)_weights[i / width, i % width];
        _model = new TrainedNetwork(network, [.. values], [.. new Mask?[values.Length]]);
        _group = PrunableGroups.Find(network).Groups[0];
    }

    public int[] ISpaSP(int keep, int iterations, Device device)
    {
        var sums = new float[_width];
        for (int u = 0; u < _width; u++)
        {
            double sum = 0;
            for (int n = 0; n < _samples; n++) sum += _hidden[u, n];
            sums[u] = (float)sum;
        }
        using var method = new ISpaSP(_model, _group, new HiddenSums(sums, _samples), device);
        return method.Select(keep, iterations);
    }

    /// <summary>||W H - W_S H_S||_F^2.</summary>
    public double Error(int[] kept)
    {
        double error = 0;
        int[] rest = [.. Enumerable.Range(0, _width).Except(kept)];
        for (int o = 0; o < _outputs; o++)
            for (int n = 0; n < _samples; n++)
            {
                double left = 0;
                foreach (int u in rest) left += _weights[o, u] * _hidden[u, n];
                error += left * left;
            }
        return error;
    }

    /// <summary>
    /// Greedy forward selection: again and again the unit that leaves the least error, by its cheapest form. With G = (W^T W) * (H H^T), elementwise,
    /// the error is the sum of G over pairs that are out, so that a candidate costs one row sum, kept up to date.
    /// </summary>
    public int[] Greedy(int keep)
    {
        double[,] g = Gram();
        var row = new double[_width];
        for (int a = 0; a < _width; a++)
            for (int b = 0; b < _width; b++) row[a] += g[a, b];
        var rest = Enumerable.Range(0, _width).ToList();
        while (rest.Count > _width - keep)
        {
            int best = rest.MaxBy(u => 2 * row[u] - g[u, u]);
            rest.Remove(best);
            foreach (int u in rest) row[u] -= g[u, best];
        }
        return [.. Enumerable.Range(0, _width).Except(rest)];
    }

    private double[,] Gram()
    {
        var g = new double[_width, _width];
        for (int a = 0; a < _width; a++)
            for (int b = 0; b <= a; b++)
            {
                double w = 0, h = 0;
                for (int o = 0; o < _outputs; o++) w += _weights[o, a] * _weights[o, b];
                for (int n = 0; n < _samples; n++) h += _hidden[a, n] * _hidden[b, n];
                g[a, b] = g[b, a] = w * h;
            }
        return g;
    }
}
