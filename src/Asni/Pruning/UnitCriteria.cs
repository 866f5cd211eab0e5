using System.Collections.Immutable;
using Asni.Data;
using Asni.Devices;
using Asni.Engine;
using Asni.Networks;
using Asni.Settings;
using Asni.Tensors;

namespace Asni.Pruning;

/// <summary>How the units that stay are chosen.</summary>
public enum UnitCriterion
{
    /// <summary>Sparse signal recovery, with data.</summary>
    ISpaSP,
    /// <summary>Largest sum of magnitudes of the weights that make the unit.</summary>
    L1,
    /// <summary>Largest magnitude of the batch-norm weight behind the layer.</summary>
    BnScale,
    /// <summary>Any.</summary>
    Random,
    /// <summary>Greedy forward selection: again and again the unit that leaves the least error of the block's output, with data.</summary>
    Greedy,
}

/// <summary>Settings of structured pruning.</summary>
public sealed record UnitPruningOptions
{
    // One for all, so that equal settings compare equal.
    private static readonly Dictionary<string, double> s_none = [];

    public UnitCriterion Criterion { get; init; } = UnitCriterion.ISpaSP;

    /// <summary>Share of the units that stays, in groups that <see cref="Ratios"/> does not name.</summary>
    public double Ratio { get; init; } = 0.5;

    /// <summary>Share that stays, by the beginning of the group's name; the longest that fits counts, and 1 leaves a group alone.</summary>
    public IReadOnlyDictionary<string, double> Ratios { get; init; } = s_none;

    /// <summary>T of i-SpaSP.</summary>
    public int Iterations { get; init; } = 20;
    public int CalibrationBatches { get; init; } = 5;
    public int CalibrationBatchSize { get; init; } = 256;

    /// <summary>Epochs of fine-tuning after each group, and after all of them; their learning rate, which at the end falls along a cosine.</summary>
    public int BlockEpochs { get; init; } = 1;

    /// <inheritdoc cref="BlockEpochs"/>
    public int FinetuneEpochs { get; init; } = 10;

    /// <inheritdoc cref="BlockEpochs"/>
    public double FinetuneRate { get; init; } = 0.01;

    /// <summary>Also groups that stay by default: blocks with a downsample branch, the last of each stage.</summary>
    public bool AllBlocks { get; init; }

    internal static ImmutableArray<Setting<UnitPruningOptions>> Settings { get; } =
    [
        SettingFactory.Number<UnitPruningOptions>("ratio", "share of the units of each group that stays", o => o.Ratio, (o, v) => o with { Ratio = v }, "(0, 1]"),
        new("ratios", "the same by the beginning of a layer's name: layer1=0.4,layer4=1", (o, t) => o with { Ratios = ParseRatios(t) },
            o => o.Ratios.Count == 0 ? null : string.Join(',', o.Ratios.Select(r => $"{r.Key}={SettingText.Text(r.Value)}"))) { Values = RatioWords },
        SettingFactory.Choice<UnitPruningOptions, UnitCriterion>("criterion", "which units stay: ispasp, l1, bnscale, greedy, random", o => o.Criterion, (o, v) => o with { Criterion = v }),
        SettingFactory.Integer<UnitPruningOptions>("iterations", "iterations of the selection", o => o.Iterations, (o, v) => o with { Iterations = v }, "[1, inf)"),
        new("calibration", "batches x images that the selection sees: 5x256", (o, t) => o.WithCalibration(t),
            o => $"{SettingText.Text(o.CalibrationBatches)}x{SettingText.Text(o.CalibrationBatchSize)}") { Values = CalibrationWords },
        SettingFactory.Integer<UnitPruningOptions>("block-epochs", "epochs of fine-tuning after each group", o => o.BlockEpochs, (o, v) => o with { BlockEpochs = v }, "[0, inf)"),
        SettingFactory.Integer<UnitPruningOptions>("finetune-epochs", "epochs of fine-tuning at the end", o => o.FinetuneEpochs, (o, v) => o with { FinetuneEpochs = v }, "[0, inf)"),
        SettingFactory.Number<UnitPruningOptions>("finetune-lr", "learning rate of both", o => o.FinetuneRate, (o, v) => o with { FinetuneRate = v }, "(0, inf)"),
        SettingFactory.Switch<UnitPruningOptions>("all-blocks", "also blocks with a downsample branch and the last of each stage", o => o.AllBlocks, (o, v) => o with { AllBlocks = v }),
    ];

    /// <summary>The groups that lose units, in the order of the network.</summary>
    /// <exception cref="UsageException">A ratio is for layers that are not there, or nothing would be taken out.</exception>
    internal ImmutableArray<PrunableGroup> Groups(Network network)
    {
        ImmutableArray<PrunableGroup> all = [.. PrunableGroups.Find(network).Hidden];
        if (Ratios.Keys.FirstOrDefault(k => !all.Any(g => g.Name.StartsWith(k, StringComparison.Ordinal))) is { } unknown)
            throw new UsageException($"a ratio is given for '{unknown}', but no layer of {network.Name} whose units can be taken out begins so; these can: {Names(all)}.");
        ImmutableArray<PrunableGroup> taken = [.. all.Where(g => (g.StaysBecause is null || AllBlocks) && Kept(g) < g.Units)];
        return taken.Length > 0 ? taken : throw new UsageException($"no layer of {network.Name} has units that can be taken out at these ratios; its layers are {Names(all)}.");
    }

    private static string Names(ImmutableArray<PrunableGroup> groups) => groups.IsEmpty ? "none" : string.Join(", ", groups.Select(g => g.Name));

    private const string CalibrationWords = "batches x images, such as 5x256", RatioWords = "a list of layer=ratio, such as layer1=0.4,layer2=0.4, with ratios in (0, 1]";

    private UnitPruningOptions WithCalibration(string text)
    {
        int[] parts = [.. text.Split('x').Select(SettingText.Integer)];
        return parts is [>= 1, >= 1] ? this with { CalibrationBatches = parts[0], CalibrationBatchSize = parts[1] } : throw new FormatException(CalibrationWords);
    }

    private static Dictionary<string, double> ParseRatios(string text)
    {
        var ratios = new Dictionary<string, double>();
        foreach (string item in SettingText.List(text))
        {
            string[] pair = item.Split('=');
            if (pair.Length != 2 || pair[0].Length == 0 || !(SettingText.Number(pair[1]) is > 0 and <= 1)) throw new FormatException(RatioWords);
            ratios[pair[0]] = SettingText.Number(pair[1]);
        }
        return ratios;
    }

    /// <summary>Units of a group that stay.</summary>
    internal int Kept(PrunableGroup group)
    {
        string? name = Ratios.Keys.Where(k => group.Name.StartsWith(k, StringComparison.Ordinal)).MaxBy(k => k.Length);
        double ratio = name is null ? Ratio : Ratios[name];
        return (int)Math.Clamp(Math.Round(ratio * group.Units, MidpointRounding.AwayFromZero), 1, group.Units);
    }
}

/// <summary>Chooses the units of a group.</summary>
internal static class UnitChoice
{
    /// <returns>The kept units, ascending.</returns>
    public static int[] Select(TrainedNetwork model, PrunableGroup group, int keep, UnitPruningOptions options, Dataset data, ulong seed, Device device, CancellationToken cancellation)
    {
        var calibration = new Calibration(data, options.CalibrationBatches, options.CalibrationBatchSize, seed, device, cancellation);
        if (options.Criterion == UnitCriterion.ISpaSP)
        {
            using var method = new ISpaSP(model, group, HiddenSums.Measure(calibration, model, group.Hidden), device);
            return method.Select(keep, options.Iterations);
        }
        if (options.Criterion == UnitCriterion.Greedy) return new GreedySelection(model, group, device).Select(keep, calibration);
        double[] scores = options.Criterion switch
        {
            UnitCriterion.L1 => L1(model, group.Producer.Weight),
            UnitCriterion.BnScale => BnScale(model, group),
            _ => Random(group, seed),
        };
        return [.. Enumerable.Range(0, group.Units).OrderByDescending(u => scores[u]).ThenBy(u => u).Take(keep).Order()];
    }

    private static double[] L1(TrainedNetwork model, Parameter weight) =>
        [.. model.Values[weight.Index].Chunk(weight.Filter.FanIn).Select(row => row.Sum(w => Math.Abs((double)w)))];

    private static double[] BnScale(TrainedNetwork model, PrunableGroup group)
    {
        BatchNormNode norm = group.Members.OfType<BatchNormNode>().FirstOrDefault()
            ?? throw new UsageException($"there is no batch-norm behind {group.Name}: the criterion bnscale needs its scales.");
        return [.. model.Values[norm.Weight.Index].Select(w => Math.Abs((double)w))];
    }

    private static double[] Random(PrunableGroup group, ulong seed)
    {
        var random = SplitMix64.Fork(seed, (ulong)group.Producer.Id);
        return [.. Enumerable.Range(0, group.Units).Select(_ => random.NextDouble())];
    }
}
