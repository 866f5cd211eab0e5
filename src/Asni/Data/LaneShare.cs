namespace Asni.Data;

/// <summary>Which lanes of each step, numbered through an epoch, one rank computes: as many neighbours as each other rank.</summary>
/// <param name="Lanes">Of a step.</param>
internal readonly record struct LaneShare(int Lanes, int Rank, int Ranks)
{
    /// <summary>All lanes.</summary>
    public static LaneShare All(int lanes) => new(lanes, 0, 1);

    /// <summary>Of each step.</summary>
    public int Own => Lanes / Ranks;

    private int First => Rank * Own;

    /// <summary>The number in the epoch of this rank's n-th lane.</summary>
    public int Index(int n) => n / Own * Lanes + First + n % Own;

    /// <summary>Own ones among the first lanes of an epoch.</summary>
    public int CountOf(int lanes) => lanes / Lanes * Own + Math.Clamp(lanes % Lanes - First, 0, Own);

    /// <summary>Ranks that have some of the first lanes of a step.</summary>
    public int RanksOf(int lanes) => (lanes + Own - 1) / Own;

    /// <summary>Sums of neighbouring ranks are to be sums of neighbouring lanes as the tree over lanes has them.</summary>
    /// <exception cref="UsageException">The lanes cannot be shared so.</exception>
    public void Validate()
    {
        if (IsShared(Lanes, Ranks)) return;
        int lanes = Lanes;
        string[] sizes = [.. Enumerable.Range(1, Lanes).Where(n => IsShared(lanes, n)).Select(n => FormattableString.Invariant($"{n}"))];
        string possible = sizes.Length == 1 ? "one rank" : $"{string.Join(", ", sizes[..^1])} or {sizes[^1]} ranks";
        throw new UsageException($"{Lanes} {(Lanes == 1 ? "lane goes" : "lanes go")} on {possible}, not on {Ranks}.");
    }

    private static bool IsShared(int lanes, int ranks) => ranks == 1 || (lanes % ranks == 0 && int.IsPow2(lanes / ranks));
}
