using System.Collections.Immutable;
using Asni.Data;
using Asni.Devices;
using Asni.Networks;
using Asni.Networks.Rewriting;
using Asni.Settings;

namespace Asni.Pruning.Units;

/// <summary>How the units that stay are chosen.</summary>
public enum UnitCriterion
{
    /// <summary>Sparse signal recovery, with data; hidden units only.</summary>
    ISpaSP,
    /// <summary>Largest sum of magnitudes of the weights that make the unit.</summary>
    L1,
    /// <summary>Largest norm of them.</summary>
    L2,
    /// <summary>Farthest from the other units of the layer, as the sum of distances between their weights.</summary>
    Fpgm,
    /// <summary>Largest magnitude of the batch-norm weight behind the layer.</summary>
    BnScale,
    /// <summary>Largest squared first-order change of the loss without the unit, with data.</summary>
    Taylor,
    /// <summary>Largest first-order change of the loss without the unit, in magnitude for each image, with data.</summary>
    Taylor16,
    /// <summary>Largest change of the loss to second order, with data.</summary>
    Sosp,
    /// <summary>The same with the Gauss-Newton matrix in place of second derivatives, one image at a time.</summary>
    SospI,
    /// <summary>Largest change of the loss by the diagonal of the Gauss-Newton matrix alone, one image at a time.</summary>
    Obd,
    /// <summary>Largest mean rank of its feature maps, with data.</summary>
    HRank,
    /// <summary>Any.</summary>
    Random,
    /// <summary>Greedy forward selection: again and again the unit that leaves the least error of the block's output, with data; hidden units only.</summary>
    Greedy,
    /// <summary>Greedy backward selection: again and again the unit goes that, with those that are gone, adds least to the block's output; those that stay are scaled to make up for it; with data; hidden units only.</summary>
    ThiNet,
}

/// <summary>Which units of a group stay.</summary>
public sealed record UnitSelection
{
    public UnitCriterion Criterion { get; init; } = UnitCriterion.ISpaSP;

    /// <summary>T of i-SpaSP.</summary>
    public int Iterations { get; init; } = 20;

    /// <summary>Training images that it sees.</summary>
    public ImageBatches Calibration { get; init; } = new(5, 256);

    internal static ImmutableArray<Setting<UnitSelection>> Settings { get; } =
    [
        SettingFactory.Choice<UnitSelection, UnitCriterion>("criterion", "which units stay, by score: l1, l2, fpgm, bnscale, taylor, taylor16, sosp, sospi, obd, hrank, random; hidden units by the next layer's output: ispasp, greedy, thinet", o => o.Criterion, (o, v) => o with { Criterion = v }),
        SettingFactory.Integer<UnitSelection>("iterations", "iterations of the selection", o => o.Iterations, (o, v) => o with { Iterations = v }, "[1, inf)") with
        {
            Needs = [new("criterion", "ispasp", o => o.Criterion == UnitCriterion.ISpaSP)],
        },
        new("calibration", "batches x images that the selection sees: 5x256", (o, t) => o with { Calibration = ImageBatches.Parse(t) }, o => $"{o.Calibration}") {
            Values = ImageBatches.Words,
            Needs = [new("criterion", "one that sees images", o => o.SeesImages)],
        },
    ];

    /// <summary>It chooses by images, not by weights alone.</summary>
    internal bool SeesImages => Criterion is not (UnitCriterion.L1 or UnitCriterion.L2 or UnitCriterion.Fpgm or UnitCriterion.BnScale or UnitCriterion.Random);

    /// <summary>It gives each unit a number, by which units of several groups can be compared.</summary>
    internal bool HasScores => Criterion is not (UnitCriterion.ISpaSP or UnitCriterion.Greedy or UnitCriterion.ThiNet);

    /// <summary>The number of each unit of each group: those with the largest stay.</summary>
    internal double[][] Score(TrainedNetwork model, ImmutableArray<PrunableGroup> groups, Calibration calibration) => NewScore().Score(model, groups, calibration);

    /// <summary>The network without the units that go.</summary>
    /// <param name="kept">How many of each group stay.</param>
    /// <param name="scores">Of <see cref="Score"/>, where they are known.</param>
    internal TrainedNetwork Prune(TrainedNetwork model, ImmutableArray<PrunableGroup> groups, int[] kept, Calibration calibration, double[][]? scores = null)
    {
        if (HasScores) scores ??= Score(model, groups, calibration);
        TrainedNetwork scaled = model;
        var units = new Dictionary<string, ImmutableArray<int>>();
        for (int g = 0; g < groups.Length; g++)
        {
            if (Criterion == UnitCriterion.ThiNet)
            {
                (int[] chosen, double[] scales) = new GreedySelection(model, groups[g], calibration.Device).SelectByRemoval(kept[g], calibration);
                scaled = Scaled(scaled, groups[g].Consumer.Weight, chosen, scales);
                units[groups[g].Name] = [.. chosen];
            }
            else
            {
                units[groups[g].Name] = [.. scores is null ? Recover(model, groups[g], kept[g], calibration) : Largest(scores[g], kept[g])];
            }
        }
        return NarrowNetwork.Keep(scaled, units);
    }

    /// <exception cref="UsageException">The criterion needs fp32, and the device computes in less.</exception>
    internal void Validate(Device device)
    {
        if (Criterion == UnitCriterion.Sosp) SecondDerivatives.RequireFullPrecision(device, "the criterion sosp");
        if (Criterion == UnitCriterion.ThiNet && device.HasReducedPrecision)
            throw new UsageException("the criterion thinet solves for scales that reduced precision does not tell apart: it needs a device that computes in fp32.");
    }

    /// <exception cref="UsageException">The criterion cannot say anything of a group.</exception>
    internal void Validate(IEnumerable<PrunableGroup> groups)
    {
        foreach (PrunableGroup group in groups)
        {
            if (!HasScores && !group.IsHidden)
                throw new UsageException($"the criterion {SettingText.Name(Criterion)} is for hidden units, and {group.StaysBecause} with {group.Name}: take another criterion, or unit-scope hidden.");
            if (Criterion == UnitCriterion.BnScale) _ = BatchNormScale.NormsOf(group);
        }
    }

    internal static int[] Largest(double[] scores, int keep) => [.. Enumerable.Range(0, scores.Length).OrderByDescending(u => scores[u]).ThenBy(u => u).Take(keep).Order()];

    /// <summary>With the weights that read some units multiplied.</summary>
    private static TrainedNetwork Scaled(TrainedNetwork model, Parameter weight, int[] units, double[] scales)
    {
        float[] values = [.. model.Values[weight.Index]];
        int plane = weight.Filter.Height * weight.Filter.Width;
        for (int o = 0; o < weight.Filter.Out; o++)
            for (int u = 0; u < units.Length; u++)
                foreach (ref float w in values.AsSpan(o * weight.Filter.FanIn + units[u] * plane, plane)) w = (float)(w * scales[u]);
        return model with { Values = model.Values.SetItem(weight.Index, values) };
    }

    private int[] Recover(TrainedNetwork model, PrunableGroup group, int keep, Calibration calibration)
    {
        if (Criterion == UnitCriterion.Greedy) return new GreedySelection(model, group, calibration.Device).Select(keep, calibration);
        using var method = new ISpaSP(model, group, HiddenSums.Measure(calibration, model, group.Hidden), calibration.Device);
        return method.Select(keep, Iterations);
    }

    private IUnitScore NewScore() => Criterion switch
    {
        UnitCriterion.L1 => new FilterNorm(w => Math.Abs((double)w), sum => sum),
        UnitCriterion.L2 => new FilterNorm(w => (double)w * w, Math.Sqrt),
        UnitCriterion.Fpgm => new GeometricMedian(),
        UnitCriterion.BnScale => new BatchNormScale(),
        UnitCriterion.Taylor => new TaylorExpansion(perImage: false),
        UnitCriterion.Taylor16 => new TaylorExpansion(perImage: true),
        UnitCriterion.Sosp => new SecondOrder(),
        UnitCriterion.SospI => new GaussNewton(diagonal: false),
        UnitCriterion.Obd => new GaussNewton(diagonal: true),
        UnitCriterion.HRank => new FeatureRank(),
        UnitCriterion.Random => new RandomUnits(),
        _ => throw new InvalidOperationException($"{Criterion} gives no scores"),
    };
}
