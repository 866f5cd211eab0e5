using System.Globalization;
using Asni.Bench;

namespace Asni.Peers;

/// <summary>What is measured, and for how long.</summary>
/// <param name="Density">Share of the weights that the sparse networks keep where there is no file.</param>
/// <param name="Masks">Network files by the name of their network: the sparse networks.</param>
/// <param name="LibTorchHost">A program that runs .NET assemblies where libtorch can be loaded; null for the one that runs this.</param>
internal sealed record ComparisonOptions(int Rounds, double Seconds, int Threads, double Density, IReadOnlyDictionary<string, string> Masks, string? LibTorchHost);

/// <summary>Measures all sides of a case in turn and makes rows of a Markdown table.</summary>
internal sealed class Comparison(ComparisonOptions options)
{
    public static readonly string[] TrainingHead =
    [
        "| network | batch | Asni ms | sparse ms | libtorch ms | channels_last ms | ratio | ratio sparse | Asni images/s | of peak | Asni MiB | libtorch MiB |",
        "| --- | ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: |",
    ];

    public static readonly string[] InferenceHead =
    [
        "| network | batch | Asni ms | sparse ms | ONNX Runtime ms | with zeros ms | libtorch ms | channels_last ms | ratio | ratio sparse | Asni images/s |",
        "| --- | ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: |",
    ];

    private readonly ComparisonOptions _options = options;
    private readonly SortedSet<string> _engines = [], _missing = [];

    /// <summary>Names and versions of the engines that took part.</summary>
    public IEnumerable<string> Engines => _engines;

    /// <summary>A sentence for each engine that could not be measured.</summary>
    public IEnumerable<string> Missing => _missing;

    /// <param name="peak">GFLOP/s of this machine.</param>
    /// <exception cref="AsniException">Asni itself cannot be measured.</exception>
    public string Train(Case which, double peak)
    {
        using var sides = new SideSet(this, which, training: true, which.Batch);
        SideProcess dense = sides.Add(Sides.Asni)!, sparse = sides.AddSparse(Sides.Asni)!;
        SideProcess?[] torch = [sides.Add(Sides.LibTorch), sides.Add(Sides.LibTorchChannelsLast)];
        sides.Measure();
        double rate = 3 * 2.0 * which.Macs * which.Batch / dense.Milliseconds / 1e6;
        return Row(which.Net, which.Batch, Milliseconds(dense), Milliseconds(sparse), Milliseconds(torch[0]), Milliseconds(torch[1]), Ratio(dense, torch), Ratio(sparse, torch),
            Number(which.Batch / dense.Milliseconds * 1e3, "n0"), $"{Number(100 * rate / peak, "f0")} %", Number(dense.PeakMebibytes, "n0"),
            Measured(torch) is [_, ..] measured ? Number(measured.Min(t => t.PeakMebibytes), "n0") : "-");
    }

    /// <exception cref="AsniException">Asni itself cannot be measured.</exception>
    public string Infer(Case which, int batch)
    {
        using var sides = new SideSet(this, which, training: false, batch);
        SideProcess dense = sides.Add(Sides.Asni)!, sparse = sides.AddSparse(Sides.Asni)!;
        SideProcess? onnx = sides.Add(Sides.OnnxRuntime), zeros = sides.AddSparse(Sides.OnnxRuntime);
        SideProcess?[] torch = [sides.Add(Sides.LibTorch), sides.Add(Sides.LibTorchChannelsLast)];
        sides.Measure();
        return Row(which.Net, batch, Milliseconds(dense), Milliseconds(sparse), Milliseconds(onnx), Milliseconds(zeros), Milliseconds(torch[0]), Milliseconds(torch[1]),
            Ratio(dense, [onnx, .. torch]), Ratio(sparse, [onnx, zeros, .. torch]), Number(batch / dense.Milliseconds * 1e3, "n0"));
    }

    private static string Row(params object[] cells) => "| " + string.Join(" | ", cells.Select(c => Convert.ToString(c, CultureInfo.InvariantCulture))) + " |";

    private static string Number(double value, string format) => value.ToString(format, CultureInfo.InvariantCulture);

    private static SideProcess[] Measured(SideProcess?[] sides) => [.. sides.OfType<SideProcess>().Where(s => !s.HasFailed)];

    private static string Milliseconds(SideProcess? side) => side is null or { HasFailed: true } ? "-" : Number(side.Milliseconds, side.Milliseconds < 10 ? "g3" : "f1");

    /// <summary>How many times as long the fastest peer takes.</summary>
    private static string Ratio(SideProcess ours, SideProcess?[] peers)
    {
        double[] times = [.. Measured(peers).Select(p => p.Milliseconds)];
        return times.Length == 0 ? "-" : Number(times.Min() / ours.Milliseconds, "f2");
    }

    /// <summary>The sides of one case.</summary>
    private sealed class SideSet(Comparison comparison, Case which, bool training, int batch) : IDisposable
    {
        /// <summary>Largest difference between two engines' answers that rounding explains, to the largest number among them.</summary>
        private const double Tolerance = 2e-3;

        private readonly List<SideProcess> _sides = [];
        private readonly Dictionary<bool, SideProcess> _first = [];

        public SideProcess? Add(string name) => Start(name, sparse: false);

        public SideProcess? AddSparse(string name) => Start(name, sparse: true);

        public void Measure()
        {
            for (int round = 0; round < comparison._options.Rounds; round++)
                foreach (SideProcess side in _sides.Where(s => !s.HasFailed))
                {
                    try
                    {
                        side.Measure(comparison._options.Seconds);
                    }
                    catch (AsniException e) when (side.Name != Sides.Asni)
                    {
                        Miss(e);
                    }
                }
        }

        public void Dispose()
        {
            foreach (SideProcess side in _sides) side.Dispose();
        }

        private SideProcess? Start(string name, bool sparse)
        {
            ComparisonOptions o = comparison._options;
            string? masks = sparse ? o.Masks.GetValueOrDefault(which.Net) : null;
            string[] arguments = which.ToArguments(training, batch, o.Threads, masks, sparse && masks is null ? o.Density : null);
            bool isTorch = name is Sides.LibTorch or Sides.LibTorchChannelsLast;
            try
            {
                var side = new SideProcess(name, arguments, isTorch ? o.LibTorchHost : null);
                _sides.Add(side);
                if (!_first.TryAdd(sparse, side)) Compare(_first[sparse].Introduction.Answer, side);
                comparison._engines.Add(side.Introduction.Engine);
                return side;
            }
            catch (AsniException e) when (name != Sides.Asni)
            {
                Miss(e);
                return null;
            }
        }

        private void Miss(AsniException e) => comparison._missing.Add($"{which.Net}, batch {batch}: {e.Message}");

        /// <exception cref="AsniException">Two engines do not compute the same, so that their times say nothing.</exception>
        private static void Compare(float[] ours, SideProcess side)
        {
            float[] theirs = side.Introduction.Answer;
            double largest = ours.Max(v => Math.Abs((double)v));
            // A NaN on either side is no agreement.
            bool agree = double.IsFinite(largest) && ours.Length == theirs.Length && ours.Zip(theirs).All(p => Math.Abs((double)p.First - p.Second) <= Tolerance * largest);
            if (agree) return;
            side.HasFailed = true;
            throw new AsniException($"{side.Introduction.Engine} computes something else than Asni");
        }
    }
}
