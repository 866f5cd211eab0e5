using System.Diagnostics;
using System.Globalization;
using Asni.Cpu;
using Asni.Devices;
using Asni.Engine;
using Asni.Networks;
using Asni.Pruning;
using Asni.Tensors;

// i-SpaSP's synthetic experiment (Wolfe, Kyrillidis 2021): a two-layer network whose hidden rows decay as i^(-1/p). The smaller p, the fewer units carry the
// output, and the faster its error ||V||_F^2 falls with the number of units that stay. Means over seeds, relative to keeping none; then time against
// greedy forward selection.
const int outputs = 20, samples = 256, seeds = 5;
double[] exponents = [0.3, 0.5, 0.7, 0.9], shares = [0.05, 0.1, 0.2, 0.3, 0.5, 0.7];
using Device device = new CpuDevice(1);
foreach (int width in (int[])[100, 200])
{
    Console.WriteLine($"| width {width}, units kept | {string.Join(" | ", exponents.Select(p => $"p = {Text(p)}"))} |\n| ---: |{string.Concat(exponents.Select(_ => " ---: |"))}");
    foreach (double share in shares)
    {
        int keep = (int)(share * width);
        IEnumerable<string> errors = exponents.Select(p => Enumerable.Range(1, seeds).Average(seed =>
        {
            var problem = new Problem(width, outputs, samples, p, (ulong)seed);
            using var method = new ISpaSP(problem.Model, problem.Group, problem.Hidden, device);
            return problem.Error(method.Select(keep, 20)) / problem.Error([]);
        })).Select(e => e.ToString("e1", CultureInfo.InvariantCulture));
        Console.WriteLine($"| {keep} | {string.Join(" | ", errors)} |");
    }
    Console.WriteLine();
}
Console.WriteLine("| width | units kept | i-SpaSP ms | greedy ms | ratio |\n| ---: | ---: | ---: | ---: | ---: |");
foreach (int width in (int[])[100, 200])
{
    var problem = new Problem(width, outputs, samples, 0.5, 1);
    int keep = width / 2;
    double ours = Median(() =>
    {
        using var method = new ISpaSP(problem.Model, problem.Group, problem.Hidden, device);
        method.Select(keep, 20);
    }), greedy = Median(() => problem.Greedy(keep));
    Console.WriteLine($"| {width} | {keep} | {Text(ours)} | {Text(greedy)} | {Text(greedy / ours)} |");
}

static string Text(double x) => x.ToString("0.##", CultureInfo.InvariantCulture);

static double Median(Action action)
{
    double[] times = [.. Enumerable.Range(0, 7).Select(_ =>
    {
        long start = Stopwatch.GetTimestamp();
        action();
        return Stopwatch.GetElapsedTime(start).TotalMilliseconds;
    }).Order()];
    return times[times.Length / 2];
}

/// <summary>A two-layer network and its hidden activations.</summary>
internal sealed class Problem
{
    private readonly double[,] _hidden, _weights;
    private readonly int _width, _outputs, _samples;

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
        Model = new ModelSnapshot(network, [.. values], [.. new Mask?[values.Length]]);
        Group = PrunableGroups.Find(network).Groups[0];
        Hidden = new HiddenSums([.. Enumerable.Range(0, width).Select(u => (float)Enumerable.Range(0, samples).Sum(n => _hidden[u, n]))], samples);
    }

    public ModelSnapshot Model { get; }
    public PrunableGroup Group { get; }
    public HiddenSums Hidden { get; }

    /// <summary>||W H - W_S H_S||_F^2.</summary>
    public double Error(int[] kept)
    {
        double error = 0;
        int[] rest = [.. Enumerable.Range(0, _width).Except(kept)];
        for (int o = 0; o < _outputs; o++)
            for (int n = 0; n < _samples; n++) error += Math.Pow(rest.Sum(u => _weights[o, u] * _hidden[u, n]), 2);
        return error;
    }

    /// <summary>Greedy forward selection: again and again the unit that leaves the least error.</summary>
    public int[] Greedy(int keep)
    {
        // ||V||^2 = sum over pairs outside S of G = (W^T W) * (H H^T), so that a candidate costs a row of G.
        var g = new double[_width, _width];
        for (int a = 0; a < _width; a++)
            for (int b = 0; b < _width; b++)
            {
                double w = 0, h = 0;
                for (int o = 0; o < _outputs; o++) w += _weights[o, a] * _weights[o, b];
                for (int n = 0; n < _samples; n++) h += _hidden[a, n] * _hidden[b, n];
                g[a, b] = w * h;
            }
        var rest = Enumerable.Range(0, _width).ToList();
        while (rest.Count > _width - keep)
            rest.Remove(rest.MaxBy(u => 2 * rest.Sum(v => g[u, v]) - g[u, u]));
        return [.. Enumerable.Range(0, _width).Except(rest)];
    }
}
