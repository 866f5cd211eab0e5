using System.CommandLine;
using System.Globalization;
using Asni.Bench;
using Asni.Cpu;
using Asni.Formats;
using Asni.Networks;

namespace Asni.Peers;

/// <summary>The command line: which cases, for how long, and where the tables go.</summary>
internal static class PeersCommand
{
    private const string Train = "train", Infer = "infer";

    public static RootCommand Create()
    {
        var only = new Option<string[]>("--only") { Description = "networks (default: all)", HelpName = "net", AllowMultipleArgumentsPerToken = true, DefaultValueFactory = _ => [] };
        only.AcceptOnlyFromAmong([.. Case.All.Select(c => c.Net)]);
        var mode = new Option<string?>("--mode") { Description = "training steps or inference (default: both)" };
        mode.AcceptOnlyFromAmong(Train, Infer);
        var batches = new Option<int[]>("--batches") { Description = "batches of inference (default: 1 and the training batch)", HelpName = "n", AllowMultipleArgumentsPerToken = true, DefaultValueFactory = _ => [] };
        var rounds = new Option<int>("--rounds") { Description = "times that the engines take turns", HelpName = "n", DefaultValueFactory = _ => 3 };
        var seconds = new Option<double>("--seconds") { Description = "of each engine in each round", HelpName = "s", DefaultValueFactory = _ => 2 };
        var threads = new Option<int>("--threads") { Description = "of every engine", HelpName = "n", DefaultValueFactory = _ => Environment.ProcessorCount };
        var density = new Option<double>("--density") { Description = "share of the weights that Asni's sparse network keeps", HelpName = "d", DefaultValueFactory = _ => 0.05 };
        var masks = new Option<string[]>("--masks") { Description = "network files of runs; without, initialized networks are pruned by global magnitude", HelpName = "file", AllowMultipleArgumentsPerToken = true, DefaultValueFactory = _ => [] };
        var host = new Option<string?>("--libtorch-host") { Description = "what runs libtorch's side in place of dotnet; eng/newer-libc.sh prints one for systems older than glibc 2.38", HelpName = "file" };
        var write = new Option<string?>("--write") { Description = "Markdown file whose tables between <!-- peers-train-BITS --> and its end, and peers-infer-BITS, are written anew", HelpName = "file" };
        var command = new RootCommand("Times whole training steps and inference of the same networks in Asni, libtorch (TorchSharp) and ONNX Runtime, in turn, on this machine.")
        {
            only, mode, batches, rounds, seconds, threads, density, masks, host, write,
        };
        command.SetAction(result =>
        {
            string[] nets = result.GetValue(only)!;
            Case[] cases = [.. Case.All.Where(c => nets.Length == 0 || nets.Contains(c.Net))];
            var options = new ComparisonOptions(result.GetValue(rounds), result.GetValue(seconds), result.GetValue(threads), result.GetValue(density), NetworksOf(result.GetValue(masks)!, cases), result.GetValue(host));
            Check(options, result.GetValue(batches)!);
            var page = result.GetValue(write) is { } file ? new MarkdownPage(file) : null;
            string[] modes = result.GetValue(mode) is { } one ? [one] : [Train, Infer];
            foreach (string m in modes) page?.Require(Marker(m));
            // As many processors as the engines have threads.
            double peak = Limits.Get(Bound.Peak) * Math.Min(1, (double)options.Threads / Environment.ProcessorCount);
            Func<Comparison, string>[] training = [.. cases.Select<Case, Func<Comparison, string>>(c => comparison => comparison.Train(c, peak))];
            Func<Comparison, string>[] inference =
                [.. cases.SelectMany(c => BatchesOf(c, result.GetValue(batches)!), (Case c, int batch) => (Func<Comparison, string>)(comparison => comparison.Infer(c, batch)))];
            bool all = true;
            foreach (string m in modes)
                all &= m == Train ? Run(m, page, options, peak, Comparison.TrainingHead, training) : Run(m, page, options, peak, Comparison.InferenceHead, inference);
            return all ? 0 : 1;
        });
        return command;
    }

    /// <summary>One for each width of vectors: machines of each kind keep their tables.</summary>
    private static string Marker(string mode) => $"peers-{mode}-{Simd.Width}";

    /// <summary>Prints a table line by line, and puts what there is of it into the page after each.</summary>
    /// <returns>Whether all rows could be made.</returns>
    private static bool Run(string mode, MarkdownPage? page, ComparisonOptions options, double peak, string[] head, Func<Comparison, string>[] rows)
    {
        var comparison = new Comparison(options);
        var (made, failures) = (new List<string>(), new List<string>());
        Console.WriteLine(string.Join('\n', head));
        foreach (Func<Comparison, string> row in rows)
        {
            try
            {
                made.Add(row(comparison));
            }
            catch (AsniException e)
            {
                failures.Add(e.Message);
                continue;
            }
            Console.WriteLine(made[^1]);
            page?.Write(Marker(mode), [.. About(), "", .. head, .. made]);
        }
        Console.WriteLine(string.Join('\n', About()));
        foreach (string sentence in failures) Console.Error.WriteLine(sentence);
        return failures.Count == 0;

        IEnumerable<string> About()
        {
            yield return string.Create(CultureInfo.InvariantCulture, $"{string.Join(", ", comparison.Engines)}; {options.Threads} threads, fp32; peak {peak:n0} GFLOP/s. {SparseNetworks(options)}.");
            foreach (string sentence in comparison.Missing) yield return $"Not measured: {sentence}.";
        }
    }

    private static string SparseNetworks(ComparisonOptions options)
    {
        string initial = string.Create(CultureInfo.InvariantCulture, $"Sparse: the largest {100 * options.Density:g3} % of the weights of an initialized network");
        return options.Masks.Count == 0 ? initial : $"{initial}, and of {string.Join(", ", options.Masks.Keys.Order())} a run's network";
    }

    private static IEnumerable<int> BatchesOf(Case which, int[] batches) => batches.Length > 0 ? batches : [1, which.Batch];

    private static Dictionary<string, string> NetworksOf(string[] files, Case[] cases)
    {
        var found = new Dictionary<string, string>();
        foreach (string file in files)
        {
            Network network = NetworkFile.ReadHeader(file).Network;
            string net = network.Name;
            if (Array.Find(cases, c => c.Net == net) is not { } which) throw new UsageException($"--masks {file} is a {net}, which is not compared.");
            if (network.Input != which.Input || network.Classes != which.Classes)
                throw new UsageException($"--masks {file} has an input of {network.Input} and {network.Classes} classes; {net} is compared with {which.Input} and {which.Classes}.");
            if (!found.TryAdd(net, file)) throw new UsageException($"--masks has two networks {net}: {found[net]} and {file}.");
        }
        return found;
    }

    private static void Check(ComparisonOptions options, int[] batches)
    {
        if (options.Rounds < 1) throw new UsageException($"--rounds {options.Rounds} is not a number from 1.");
        if (options.Threads < 1) throw new UsageException($"--threads {options.Threads} is not a number from 1.");
        if (!(options.Seconds > 0)) throw new UsageException(FormattableString.Invariant($"--seconds {options.Seconds} is not above 0."));
        if (!(options.Density is > 0 and <= 1)) throw new UsageException(FormattableString.Invariant($"--density {options.Density} is not in (0, 1]."));
        if (options.LibTorchHost is { } host && !File.Exists(host)) throw new UsageException($"--libtorch-host '{host}' is not a file.");
        if (batches.FirstOrDefault(b => b < 1, 1) is var wrong and < 1) throw new UsageException($"--batches {wrong} is not a number from 1.");
    }
}
