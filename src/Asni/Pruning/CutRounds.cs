namespace Asni.Pruning;

/// <summary>Pruning in several cuts, each to the same share of what the last one left.</summary>
internal static class CutRounds
{
    /// <summary>The sparsities of the cuts: after cut n of a number of rounds the density is (1 - S)^(n / rounds).</summary>
    /// <param name="final">S.</param>
    public static IEnumerable<double> Sparsities(double final, int rounds)
    {
        for (int round = 1; round < rounds; round++) yield return 1 - Math.Pow(1 - final, (double)round / rounds);
        yield return final;
    }
}
