using System.Diagnostics;
using System.Globalization;
using Asni.Cpu;
using Asni.Devices;
using Asni.Pruning;
using SyntheticPruning;

// i-SpaSP's synthetic experiment (Wolfe, Kyrillidis 2021): a two-layer network whose hidden rows decay as i^(-1/p). The smaller p, the fewer units carry the
// output, and the faster its error ||V||_F^2 falls with the number of units that stay. Means over seeds, relative to keeping none; then time against
// greedy forward selection. A path as argument takes the plot.
const int outputs = 20, samples = 256, seeds = 10, iterations = 20;
double[] exponents = [0.3, 0.5, 0.7, 0.9], shares = [0.05, 0.1, 0.2, 0.3, 0.5, 0.7];
int[] widths = [100, 200];
CultureInfo.CurrentCulture = CultureInfo.InvariantCulture;
using Device device = new CpuDevice(1);
var plot = new DecayPlot();
foreach (int width in widths)
{
    Console.WriteLine($"| width {width}, units kept | {string.Join(" | ", exponents.Select(p => $"p = {p}"))} |\n| ---: |{string.Concat(exponents.Select(_ => " ---: |"))}");
    foreach (double share in shares)
    {
        int keep = (int)(share * width);
        double[] errors = [.. exponents.Select(p => MeanError(width, p, keep))];
        for (int i = 0; i < errors.Length; i++) plot.Add($"width {width}", $"p = {exponents[i]}", keep, errors[i]);
        Console.WriteLine($"| {keep} | {string.Join(" | ", errors.Select(e => e.ToString("0.0e-0")))} |");
    }
    Console.WriteLine();
}
if (args.Length > 0) plot.Save(args[0]);

Console.WriteLine("| width | units kept | i-SpaSP ms | greedy ms | ratio | error of i-SpaSP | of greedy |\n| ---: | ---: | ---: | ---: | ---: | ---: | ---: |");
foreach (int width in widths)
{
    var problem = new Problem(width, outputs, samples, 0.5, 1);
    int keep = width / 2;
    int[] ours = [], greedy = [];
    // Both from the activations on: greedy needs their Gram matrix, i-SpaSP their sums.
    double time = Median(() => ours = problem.ISpaSP(keep, iterations, device)), slow = Median(() => greedy = problem.Greedy(keep)), none = problem.Error([]);
    Console.WriteLine($"| {width} | {keep} | {time:0.00} | {slow:0.00} | {slow / time:0} | {problem.Error(ours) / none:0.0e-0} | {problem.Error(greedy) / none:0.0e-0} |");
}

double MeanError(int width, double p, int keep) => Enumerable.Range(1, seeds).Average(seed =>
{
    var problem = new Problem(width, outputs, samples, p, (ulong)seed);
    return problem.Error(problem.ISpaSP(keep, iterations, device)) / problem.Error([]);
});

static double Median(Action action)
{
    double[] times = [.. Enumerable.Range(0, 15).Select(_ =>
    {
        long start = Stopwatch.GetTimestamp();
        action();
        return Stopwatch.GetElapsedTime(start).TotalMilliseconds;
    }).Order()];
    return times[times.Length / 2];
}
