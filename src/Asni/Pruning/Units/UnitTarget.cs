using System.Collections.Immutable;
using Asni.Networks;
using Asni.Settings;

namespace Asni.Pruning.Units;

/// <summary>How the units that go are shared out over the groups.</summary>
public enum UnitAllocation
{
    /// <summary>The same share of each group.</summary>
    Uniform,
    /// <summary>The smallest scores of all groups, each divided by the mean of its group.</summary>
    Pooled,
    /// <summary>The same, with each score divided by what taking one unit out of the group saves.</summary>
    PerCost,
    /// <summary>The smallest scores of all groups as they are.</summary>
    Raw,
    /// <summary>Of the group whose loss grows least for what it saves, as measured; with a criterion that gives scores.</summary>
    Impairment,
}

/// <summary>How many units a group keeps whatever else is asked for.</summary>
public enum UnitFloor
{
    /// <summary>One; two before a depthwise convolution.</summary>
    None,
    /// <summary>As many as their gradients have dimensions, up to 1 % of the energy.</summary>
    Gradients,
}

/// <summary>What a budget counts.</summary>
public enum UnitCost
{
    /// <summary>Multiply-accumulates of an image.</summary>
    Macs,
    /// <summary>Trained parameters.</summary>
    Params,
    /// <summary>Time of one image on the device that runs, as measured there.</summary>
    Latency,
}

/// <summary>The share of a network's cost that stays.</summary>
public readonly record struct UnitBudget(UnitCost Of, double Share)
{
    internal const string Words = "macs=SHARE, params=SHARE or latency=SHARE, such as macs=0.5, with a share in (0, 1)";

    /// <exception cref="FormatException">Says what was expected.</exception>
    internal static UnitBudget Parse(string text)
    {
        string[] parts = text.Split('=');
        UnitCost[] of = [.. Enum.GetValues<UnitCost>().Where(c => SettingText.Name(c) == parts[0])];
        return parts.Length == 2 && of.Length == 1 && SettingText.Number(parts[1]) is > 0 and < 1 and var share ? new UnitBudget(of[0], share) : throw new FormatException(Words);
    }

    /// <inheritdoc/>
    public override string ToString() => $"{SettingText.Name(Of)}={SettingText.Text(Share)}";
}

/// <summary>How many units stay: a share of them, or as many as a budget of multiply-accumulates or parameters allows.</summary>
public sealed record UnitTarget
{
    private const string RatioWords = "a list of layer=ratio, such as layer1=0.4,layer2=0.4, with ratios in (0, 1]";

    // One for all, so that equal settings compare equal.
    private static readonly Dictionary<string, double> s_none = [];

    /// <summary>Share of the units that stays, in groups that <see cref="Ratios"/> does not name.</summary>
    public double Ratio { get; init; } = 0.5;

    /// <summary>Share that stays, by the beginning of the name of a layer that makes the units; the longest that fits counts, and 1 leaves a group alone.</summary>
    public IReadOnlyDictionary<string, double> Ratios { get; init; } = s_none;

    /// <summary>In place of the ratio; null: the ratio says how many stay.</summary>
    public UnitBudget? Budget { get; init; }

    public UnitAllocation Allocation { get; init; }

    /// <summary>Groups keep a multiple of so many units, or all.</summary>
    public int Multiple { get; init; } = 1;

    internal static ImmutableArray<Setting<UnitTarget>> Settings { get; } =
    [
        SettingFactory.Number<UnitTarget>("ratio", "share of the units of each group that stays", o => o.Budget is null ? o.Ratio : null, (o, v) => o with { Ratio = v }, "(0, 1]"),
        new("ratios", "the same by the beginning of a layer's name: layer1=0.4,layer4=1", (o, t) => o with { Ratios = ParseRatios(t) },
            o => o.Ratios.Count == 0 ? null : string.Join(',', o.Ratios.Select(r => $"{r.Key}={SettingText.Text(r.Value)}"))) { Values = RatioWords },
        new("budget", "in place of ratio, the share of the network's multiply-accumulates, parameters or time for one image on this device that stays: macs=0.5, params=0.5, latency=0.5", (o, t) => o with { Budget = UnitBudget.Parse(t) }, o => o.Budget?.ToString())
        {
            Values = UnitBudget.Words,
            YieldsTo = ("ratio", o => o with { Budget = null }),
        },
        SettingFactory.Integer<UnitTarget>("unit-multiple", "groups keep a multiple of so many units", o => o.Multiple, (o, v) => o with { Multiple = v }, "[1, inf)"),
    ];

    /// <summary>For methods that score all groups at once.</summary>
    internal static Setting<UnitTarget> AllocationSetting { get; } = SettingFactory.Choice<UnitTarget, UnitAllocation>("unit-allocation",
        "how units that go are shared out: uniform (the same share of each group), pooled (the smallest scores of all, each over its group's mean), percost (these over what a unit costs), raw (the smallest scores of all) or impairment (the group whose loss, measured, grows least for what it saves)",
        o => o.Allocation, (o, v) => o with { Allocation = v });

    /// <inheritdoc cref="Methods.Method.Ignores"/>
    internal string? Ignores(string setting) => setting == "ratio" && Budget is not null ? "budget says how much stays" : null;

    /// <summary>The groups that lose units, in the order of the network.</summary>
    /// <param name="among">That may lose some.</param>
    /// <param name="all">That ratios may name.</param>
    /// <exception cref="UsageException">A ratio is for layers that are not there or may not lose any, or nothing would be taken out.</exception>
    internal ImmutableArray<PrunableGroup> Of(Network network, ImmutableArray<PrunableGroup> among, ImmutableArray<PrunableGroup> all)
    {
        foreach ((string name, double ratio) in Ratios)
        {
            if (!all.Any(g => Has(g, name))) throw new UsageException($"a ratio is given for '{name}', but no layer of {network.Name} whose units can be taken out begins so; these can: {Names(all)}.");
            if (ratio < 1 && !among.Any(g => Has(g, name))) throw new UsageException($"a ratio is given for '{name}', whose units stay in this run; these can go: {Names(among)}.");
            if (ratio < 1 && (Budget is not null || Allocation != UnitAllocation.Uniform))
                throw new UsageException($"the ratio for '{name}' says what its groups keep, and so does {(Budget is { } budget ? $"the budget {budget}" : $"the unit-allocation {SettingText.Name(Allocation)}")} for all: give one of them.");
        }
        foreach (PrunableGroup group in among)
        {
            if (Named(group) is { Length: > 1 } names && names.Select(n => Ratios[n]).Distinct().Count() > 1)
                throw new UsageException($"the ratios for {string.Join(" and ", names.Select(n => $"'{n}'"))} are for layers that share their units, and differ: give one for {group.Name}.");
        }
        ImmutableArray<PrunableGroup> taken = [.. among.Where(g => Budget is not null || Allocation != UnitAllocation.Uniform ? RatioOf(g, 0.5) < 1 : Kept(g, g.Units) < g.Units)];
        return taken.Length > 0 ? taken : throw new UsageException($"no layer of {network.Name} has units that can be taken out at {(Multiple > 1 ? "this ratio and multiple" : "these ratios")}; its layers are {Names(among)}.");
    }

    /// <summary>Units that stay of a group that once had so many, by its ratio.</summary>
    internal int Kept(PrunableGroup group, int units, double progress = 1) =>
        Rounded(group, (int)Math.Round((1 - progress * (1 - RatioOf(group, Ratio))) * units, MidpointRounding.AwayFromZero), units);

    /// <summary>A multiple, where one is asked for, or all; not less than the group needs.</summary>
    internal int Rounded(PrunableGroup group, int kept, int units)
    {
        int multiples = (int)Math.Round((double)kept / Multiple, MidpointRounding.AwayFromZero), least = (group.Least + Multiple - 1) / Multiple;
        return (int)Math.Min(units, (long)Math.Max(multiples, least) * Multiple);
    }

    /// <summary>Of the longest name that one of its layers begins with.</summary>
    private double RatioOf(PrunableGroup group, double otherwise) => Named(group) is [var name, ..] ? Ratios[name] : otherwise;

    private string[] Named(PrunableGroup group)
    {
        string[] all = [.. Ratios.Keys.Where(k => Has(group, k))];
        return [.. all.Where(k => k.Length == all.Max(a => a.Length))];
    }

    private static bool Has(PrunableGroup group, string name) => group.Producers.Any(p => p.Name.StartsWith(name, StringComparison.Ordinal));

    private static string Names(ImmutableArray<PrunableGroup> groups) => groups.IsEmpty ? "none" : string.Join(", ", groups.Select(g => g.Name));

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
}
