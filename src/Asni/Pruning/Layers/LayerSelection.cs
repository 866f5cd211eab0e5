using System.Collections.Immutable;
using System.Globalization;
using Asni.Data;
using Asni.Devices;
using Asni.Engine;
using Asni.Networks;
using Asni.Networks.Rewriting;
using Asni.Settings;

namespace Asni.Pruning.Layers;

/// <summary>
/// Which residual blocks of a network stay, after SGLP (Li et al. 2024, arXiv 2410.14720): blocks whose outputs are alike (<see cref="Similarity"/>) form contiguous segments
/// (<see cref="FisherSegmentation"/> of the sums of similarities); of each segment those stay with which the norm of the loss's gradient, of the network without the others and before it is trained on, is largest.
/// </summary>
public sealed record LayerSelection
{
    /// <summary>So many choices of a segment are tried; where there are more, blocks go one after another.</summary>
    private const int MostChoices = 64;

    /// <summary>Share of the blocks that stays, (0, 1]; of each segment one stays at least, and those that change the shape.</summary>
    public double Ratio { get; init; } = 0.75;

    /// <summary>How many segments, 1 or more and no more than blocks that stay; null: until one more takes less than 5 % of the differences away.</summary>
    public int? Segments { get; init; }

    /// <summary>Training images that it sees, 3 to 4,096 in a batch.</summary>
    public ImageBatches Calibration { get; init; } = new(1, 256);

    internal static ImmutableArray<Setting<LayerSelection>> Settings { get; } =
    [
        SettingFactory.Number<LayerSelection>("ratio", "share of the residual blocks that stays", o => o.Ratio, (o, v) => o with { Ratio = v }, "(0, 1]"),
        SettingFactory.Integer<LayerSelection>("segments", "groups of neighbouring blocks that are alike (default: until one more takes less than 5 % of the differences away)", o => o.Segments, (o, v) => o with { Segments = v }, "[1, inf)"),
        new("calibration", "batches x images that the selection sees: 1x256", (o, t) => o with { Calibration = ImageBatches.Parse(t) }, o => $"{o.Calibration}") { Values = ImageBatches.Words },
    ];

    /// <exception cref="UsageException">No block would go.</exception>
    internal void Validate(Network network)
    {
        ImmutableArray<ResidualBlock> blocks = Blocks(network);
        int removable = blocks.Count(b => b.Input is not null);
        if (removable == 0) throw new UsageException($"{network.Name} has no residual block that can be taken out.");
        if (Calibration.Size is < 3 or > 4096) throw new UsageException($"calibration {Calibration}: similarity is measured in batches of 3 to 4096 images.");
        if ((long)Calibration.Size * blocks.Max(b => b.Output.Output.Elements) > Array.MaxLength)
            throw new UsageException($"calibration {Calibration}: the outputs of a block of {network.Name} are too many for batches of that size.");
        if (Segments > Kept(blocks)) throw new UsageException($"{Segments} segments: {Kept(blocks)} residual blocks of {network.Name} stay, and each segment keeps one.");
        if (Kept(blocks) == blocks.Length)
            throw new UsageException(string.Create(CultureInfo.InvariantCulture, $"a ratio of {Ratio} leaves all {blocks.Length} residual blocks of {network.Name}; {removable} of them can go."));
    }

    /// <summary>The names of the blocks that go, in the order of the network.</summary>
    /// <param name="note">Told of the segments.</param>
    internal string[] Choose(TrainedNetwork model, Calibration calibration, Action<string> note)
    {
        ImmutableArray<ResidualBlock> blocks = Blocks(model.Network);
        double[,] alike = Similarity.Measure(model, [.. blocks.Select(b => b.Output)], calibration);
        double[] sums = [.. Enumerable.Range(0, blocks.Length).Select(i => Enumerable.Range(0, blocks.Length).Sum(j => alike[i, j]))];
        (ResidualBlock[][] segments, int[] kept) = Split(blocks, sums);
        note($"{blocks.Length} residual blocks in {segments.Length} segments: {string.Join(", ", segments.Select((s, i) => $"{kept[i]} of {s.Length} ({s[0].Name} to {s[^1].Name})"))} stay");
        return [.. segments.SelectMany((segment, s) => Removed(model, segment, segment.Length - kept[s], calibration))];
    }

    /// <summary>Those of a network. One that has others within it stays: they would go with it.</summary>
    private static ImmutableArray<ResidualBlock> Blocks(Network network) => [.. ResidualBlock.Find(network).Select(b => b.Branch.OfType<AddNode>().Any() ? b with { Input = null } : b)];

    /// <summary>The segments, fewer where each keeping what it has to would leave too many, and how many blocks of each stay.</summary>
    private (ResidualBlock[][] Segments, int[] Kept) Split(ImmutableArray<ResidualBlock> blocks, double[] sums)
    {
        int wanted = Kept(blocks);
        for (int[] firsts = FisherSegmentation.Split(sums, Segments); ; firsts = FisherSegmentation.Split(sums, firsts.Length - 1))
        {
            ResidualBlock[][] segments = [.. firsts.Select((first, s) => blocks[first..(s + 1 < firsts.Length ? firsts[s + 1] : blocks.Length)].ToArray())];
            int[] kept = Share(segments, wanted);
            if (kept.Sum() == wanted || firsts.Length == 1) return (segments, kept);
        }
    }

    private int Kept(ImmutableArray<ResidualBlock> blocks) => Math.Max(Math.Max(1, blocks.Count(b => b.Input is null)), (int)Math.Round(Ratio * blocks.Length, MidpointRounding.AwayFromZero));

    /// <summary>How many blocks of each segment stay: in proportion, with what is left over to the largest remainders, but one and those that cannot go at least.</summary>
    internal static int[] Share(ResidualBlock[][] segments, int kept)
    {
        int all = segments.Sum(s => s.Length);
        int[] least = [.. segments.Select(s => Math.Max(1, s.Count(b => b.Input is null)))];
        double[] share = [.. segments.Select(s => (double)kept * s.Length / all)];
        int[] counts = [.. segments.Select((_, s) => Math.Max(least[s], (int)share[s]))];
        while (counts.Sum() < kept) counts[Enumerable.Range(0, counts.Length).Where(s => counts[s] < segments[s].Length).MaxBy(s => share[s] - counts[s])]++;
        while (counts.Sum() > kept && Enumerable.Range(0, counts.Length).Where(s => counts[s] > least[s]).ToArray() is { Length: > 0 } some) counts[some.MinBy(s => share[s] - counts[s])]--;
        return counts;
    }

    /// <summary>The blocks of a segment without which the gradient's norm is largest.</summary>
    private static IEnumerable<string> Removed(TrainedNetwork model, ResidualBlock[] segment, int count, Calibration calibration)
    {
        string[] removable = [.. segment.Where(b => b.Input is not null).Select(b => b.Name)];
        if (count == 0 || count == removable.Length) return removable.Take(count);
        if (Choices(removable.Length, count) <= MostChoices) return Subsets(removable, count).MaxBy(Norm)!;
        string[] gone = [];
        while (gone.Length < count) gone = removable.Except(gone).Select(name => (string[])[.. gone, name]).MaxBy(Norm)!;
        return removable.Intersect(gone);

        double Norm(string[] without) => GradientNorm(ShallowNetwork.Without(model.Network, without).Carry(model), calibration);
    }

    /// <summary>Of the mean loss of the calibration's images, over all weights.</summary>
    private static double GradientNorm(TrainedNetwork network, Calibration calibration)
    {
        using var on = new Model(network.Network, calibration.Device);
        on.Load(network);
        using var gradient = new LossGradient(on, calibration.Draw(), calibration.Images.Size) { Cancellation = calibration.Cancellation };
        Parameter[] weights = [.. network.Network.Weights];
        on.Parameters.ResetState();
        gradient.AddTo(ParameterSlot.State0, [.. weights.Select(p => p.Index)], 1);
        double sum = 0;
        foreach (Parameter p in weights)
        {
            var of = new float[p.Elements];
            on.Parameters.Download(p.Index, ParameterSlot.State0, of);
            foreach (float g in of) sum += (double)g * g;
        }
        return Math.Sqrt(sum);
    }

    private static double Choices(int n, int k) => Enumerable.Range(1, k).Aggregate(1.0, (product, i) => product * (n - k + i) / i);

    /// <summary>Those of so many elements, in order.</summary>
    private static IEnumerable<string[]> Subsets(string[] of, int count) => count == 0 ? [[]]
        : Enumerable.Range(0, of.Length - count + 1).SelectMany(first => Subsets(of[(first + 1)..], count - 1).Select(rest => (string[])[of[first], .. rest]));
}
