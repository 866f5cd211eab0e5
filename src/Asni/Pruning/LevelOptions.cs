using System.Collections.Immutable;
using Asni.Networks;
using Asni.Settings;

namespace Asni.Pruning;

/// <summary>The part of a network that shares its levels: all of it, a weight tensor, or the filter of one output.</summary>
public enum LevelScope { Network, Layer, Channel }

/// <summary>Whose signs the weights start with: those that they had when the mask was found, those before any training, or random ones.</summary>
public enum SignSource { Learned, Initial, Random }

/// <summary>What batch-norm starts with: as in a new network, or as in the network that the mask was found in.</summary>
public enum NormStart { Fresh, Kept }

/// <summary>
/// How few numbers weights start from (ASNI-II has two a layer; Han, Mao, Dally 2016, arXiv 1510.00149, k a layer; Zhou, Lan, Liu, Yosinski 2019, arXiv 1905.01067,
/// magnitudes that are equal in a layer).
/// </summary>
public sealed record LevelOptions
{
    /// <summary>1: one magnitude, the mean, for both signs. 2: a number for each side. More: the means of as many clusters.</summary>
    public int Levels { get; init; } = 2;

    public LevelScope Scope { get; init; } = LevelScope.Layer;
    public SignSource Signs { get; init; }
    public NormStart Norm { get; init; }

    internal static ImmutableArray<Setting<LevelOptions>> Settings { get; } =
    [
        SettingFactory.Integer<LevelOptions>("levels", "different values ASNI-II starts from: 1 (one magnitude for both signs), 2, or more (k-means)", o => o.Levels, (o, v) => o with { Levels = v }, "[1, inf)"),
        SettingFactory.Choice<LevelOptions, LevelScope>("scope", "the part that has these values: network, layer, or channel (each output's filter)", o => o.Scope, (o, v) => o with { Scope = v }),
        SettingFactory.Choice<LevelOptions, SignSource>("signs", "whose signs they have: learned (those of ASNI-I's weights), initial or random", o => o.Signs, (o, v) => o with { Signs = v }),
        SettingFactory.Choice<LevelOptions, NormStart>("norm", "batch-norm at the start of ASNI-II: fresh, or kept from ASNI-I", o => o.Norm, (o, v) => o with { Norm = v }),
    ];

    /// <summary>A weight's number hangs on its sign (or side of a border) alone.</summary>
    internal bool IsBySign => Levels <= 2;

    /// <summary>Each tensor has one number for each sign.</summary>
    internal bool HasCentroids => IsBySign && Scope != LevelScope.Channel;

    /// <summary>"two values per layer".</summary>
    internal string Words => Levels switch
    {
        1 => "one magnitude",
        2 => "two values",
        _ => $"{Levels} values",
    } + $" per {SettingText.Name(Scope)}";

    /// <exception cref="UsageException">The options exclude each other.</exception>
    internal void Validate()
    {
        if (!IsBySign && Signs != SignSource.Learned)
            throw new UsageException($"signs that are {SettingText.Name(Signs)} need levels of 1 or 2: among {Levels} values a weight's sign is part of its value.");
    }

    /// <summary>Numbers that the weights of a network start from, all scopes together.</summary>
    internal long Numbers(Network network) => Levels * Scope switch
    {
        LevelScope.Network => 1L,
        LevelScope.Layer => network.Weights.Count(),
        _ => network.Weights.Sum(p => (long)p.Filter.Out),
    };
}
