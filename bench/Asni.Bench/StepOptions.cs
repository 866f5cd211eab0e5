using System.Globalization;
using Asni.Cuda;
using Asni.Formats;
using Asni.Networks;
using Asni.Optimizers;
using Asni.Runs;
using Asni.Tensors;

namespace Asni.Bench;

/// <summary>What `steps` is asked to time.</summary>
/// <param name="NetworkFile">A run's network, whose values and masks are taken; null for the initialized network.</param>
/// <param name="Density">Share of the prunable weights to keep, by global magnitude; null for all that live.</param>
internal sealed record StepOptions(string Net, Chw Input, int Classes, int Batch, OptimizerKind Optimizer, bool Training, double Seconds, int Threads,
    string? NetworkFile, double? Density, bool Cuda, CudaPrecision Precision)
{
    public const string Help = "[--net lenet300] [--input CxHxW] [--classes 10] [--batch 60] [--mode train|infer] [--optimizer adam] [--density 0.05] [--masks RUN] [--threads N] [--seconds 3] "
        + "[--device cpu|cuda] [--precision fp32|tf32|bf16]";

    /// <summary>The flags.</summary>
    public static readonly string[] Names =
        ["--net", "--input", "--classes", "--batch", "--optimizer", "--mode", "--seconds", "--threads", "--masks", "--density", "--device", "--precision"];

    private static readonly string[] s_phases = ["asni2", "asni1", "dense"];

    public bool IsPruned => NetworkFile is not null || Density is not null;

    /// <summary>Flags and their values, in pairs. With --masks the network, its input and its classes are the run's unless given.</summary>
    /// <exception cref="UsageException">A flag is unknown or its value is not of its kind.</exception>
    public static StepOptions Parse(string[] args) => Parse(new Flags("steps", args, Names));

    /// <inheritdoc cref="Parse(string[])"/>
    public static StepOptions Parse(Flags flags)
    {
        string? file = flags.Text("--masks") is { } run ? FindNetwork(run) : null;
        Network? stored = file is null ? null : Formats.NetworkFile.ReadHeader(file).Network;
        string net = flags.Text("--net") ?? stored?.Name ?? "lenet300";
        T Get<T>(string name, T otherwise, string kind, Func<string, T?> parse) where T : struct =>
            flags.Text(name) is not { } text ? otherwise : parse(text) ?? throw new UsageException($"{name} '{text}' is not {kind}.");
        return new StepOptions(
            net,
            Get("--input", stored?.Input ?? NetworkZoo.Create(net).Input, "CxHxW", ParseInput),
            Get("--classes", stored?.Classes ?? 10, "a number from 1", Count),
            Get("--batch", 60, "a number from 1", Count),
            Get("--optimizer", OptimizerKind.Adam, "sgd, momentum, nesterov or adam",
                t => Enum.TryParse(t, true, out OptimizerKind kind) && Enum.IsDefined(kind) ? kind : null),
            Get("--mode", true, "train or infer", t => t == "train" ? true : t == "infer" ? false : null),
            Get("--seconds", 3.0, "a number above 0", t => Number(t) is > 0 and double s ? s : null),
            Get("--threads", Environment.ProcessorCount, "a number from 1", Count),
            file,
            flags.Text("--density") is not null
                ? Get("--density", 1.0, "a number from 0 to 1", t => Number(t) is >= 0 and <= 1 and double d ? d : null)
                : null,
            Get("--device", false, "cpu or cuda", t => t == "cuda" ? true : t == "cpu" ? false : null),
            Get("--precision", CudaPrecision.Fp32, "fp32, tf32 or bf16",
                t => Enum.TryParse(t, true, out CudaPrecision kind) && Enum.IsDefined(kind) ? kind : null));
    }

    /// <summary>The network of a run folder that was trained last, or the file itself.</summary>
    private static string FindNetwork(string run)
    {
        if (File.Exists(run)) return run;
        return s_phases.Select(phase => Path.Combine(run, RunFolder.NetworkFileName(phase))).FirstOrDefault(File.Exists)
            ?? throw new UsageException($"--masks {run} is neither a run folder with a network of {string.Join(", ", s_phases)} nor a network file.");
    }

    private static Chw? ParseInput(string text)
    {
        int?[] sizes = [.. text.Split('x').Select(Count)];
        return sizes is [int c, int h, int w] ? new Chw(c, h, w) : null;
    }

    private static int? Count(string text) =>
        int.TryParse(text, NumberStyles.None, CultureInfo.InvariantCulture, out int n) && n > 0 ? n : null;

    private static double? Number(string text) => double.TryParse(text, NumberStyles.Float, CultureInfo.InvariantCulture, out double d) ? d : null;
}
