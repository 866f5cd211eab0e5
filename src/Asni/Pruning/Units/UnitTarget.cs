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
}

/// <summary>How many units stay: a share of them, or as many as a budget of multiply-accumulates or parameters allows.</summary>
public sealed record UnitTarget
{
    private const string RatioWords = "a list of layer=ratio, such as layer1=0.4,layer2=0.4, with ratios in (0, 1]";

    // One for all, so that equal settings compare equal.
    private static readonly Dictionary<string, double> s_none = [];

    /// <summary>Share of the units that stays, in groups that <see cref="Ratios"/> does not name.</summary>
    public double Ratio { get; init; } = 0.5;

    /// <summary>Share that stays, by the beginning of the group's name; the longest that fits counts, and 1 leaves a group alone.</summary>
    public IReadOnlyDictionary<string, double> Ratios { get; init; } = s_none;

    /// <summary>In place of the ratio: share of the network's multiply-accumulates that stays.</summary>
    public double? Macs { get; init; }

    /// <summary>In place of the ratio: share of the network's parameters that stays.</summary>
    public double? Parameters { get; init; }

    public UnitAllocation Allocation { get; init; }

    /// <summary>Groups keep a multiple of so many units, or all.</summary>
    public int Multiple { get; init; } = 1;

    internal static ImmutableArray<Setting<UnitTarget>> Settings { get; } =
    [
        SettingFactory.Number<UnitTarget>("ratio", "share of the units of each group that stays", o => o.HasBudget ? null : o.Ratio, (o, v) => o with { Ratio = v }, "(0, 1]"),
        new("ratios", "the same by the beginning of a layer's name: layer1=0.4,layer4=1", (o, t) => o with { Ratios = ParseRatios(t) },
            o => o.Ratios.Count == 0 ? null : string.Join(',', o.Ratios.Select(r => $"{r.Key}={SettingText.Text(r.Value)}"))) { Values = RatioWords },
        SettingFactory.Number<UnitTarget>("keep-macs", "share of the network's multiply-accumulates that stays, in place of ratio", o => o.Macs, (o, v) => o with { Macs = v }, "(0, 1]") with
        {
            YieldsTo = ("keep-params", o => o with { Macs = null }),
        },
        SettingFactory.Number<UnitTarget>("keep-params", "share of the network's parameters that stays, in place of ratio", o => o.Parameters, (o, v) => o with { Parameters = v }, "(0, 1]") with
        {
            YieldsTo = ("keep-macs", o => o with { Parameters = null }),
        },
        SettingFactory.Integer<UnitTarget>("unit-multiple", "groups keep a multiple of so many units", o => o.Multiple, (o, v) => o with { Multiple = v }, "[1, inf)"),
    ];

    /// <summary>For methods that score all groups at once.</summary>
    internal static Setting<UnitTarget> AllocationSetting { get; } = SettingFactory.Choice<UnitTarget, UnitAllocation>("unit-allocation",
        "how units that go are shared out: uniform (the same share of each group), pooled (the smallest scores of all, each over its group's mean) or percost (these over what a unit costs)",
        o => o.Allocation, (o, v) => o with { Allocation = v });

    internal bool HasBudget => Macs is not null || Parameters is not null;

    /// <inheritdoc cref="Methods.Method.Ignores"/>
    internal string? Ignores(string setting) => setting == "ratio" && HasBudget ? $"{(Macs is null ? "keep-params" : "keep-macs")} says how much stays" : null;

    /// <summary>The groups that lose units, in the order of the network.</summary>
    /// <param name="among">That may lose some.</param>
    /// <param name="all">That ratios may name.</param>
    /// <exception cref="UsageException">A ratio is for layers that are not there, or nothing would be taken out.</exception>
    internal ImmutableArray<PrunableGroup> Of(Network network, IEnumerable<PrunableGroup> among, ImmutableArray<PrunableGroup> all)
    {
        if (Ratios.Keys.FirstOrDefault(k => !all.Any(g => g.Name.StartsWith(k, StringComparison.Ordinal))) is { } unknown)
            throw new UsageException($"a ratio is given for '{unknown}', but no layer of {network.Name} whose units can be taken out begins so; these can: {Names(all)}.");
        if (HasBudget || Allocation != UnitAllocation.Uniform)
        {
            if (Ratios.Values.Any(r => r < 1)) throw new UsageException("ratios below 1 say what each group keeps, and so does a budget or an allocation over all groups: give one of them.");
            return Some([.. among.Where(g => RatioOf(g.Name) < 1 || Named(g.Name) is null)]);
        }
        return Some([.. among.Where(g => Kept(g.Name, g.Units) < g.Units)]);

        ImmutableArray<PrunableGroup> Some(ImmutableArray<PrunableGroup> taken) => taken.Length > 0 ? taken
            : throw new UsageException($"no layer of {network.Name} has units that can be taken out at these ratios; its layers are {Names(all)}.");
    }

    /// <summary>Units of a group of so many that stay by its ratio.</summary>
    internal int Kept(string group, int units, double progress = 1) =>
        Rounded((int)Math.Round((1 - progress * (1 - RatioOf(group))) * units, MidpointRounding.AwayFromZero), units);

    /// <summary>At least 1, and a multiple where one is asked for.</summary>
    internal int Rounded(int kept, int units) => Math.Clamp((int)Math.Round((double)kept / Multiple, MidpointRounding.AwayFromZero), 1, int.MaxValue) * Multiple is var multiple && multiple < units ? multiple : units;

    private double RatioOf(string group) => Named(group) is { } name ? Ratios[name] : Ratio;

    private string? Named(string group) => Ratios.Keys.Where(k => group.StartsWith(k, StringComparison.Ordinal)).MaxBy(k => k.Length);

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
