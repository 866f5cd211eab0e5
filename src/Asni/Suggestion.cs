namespace Asni;

/// <summary>"Did you mean": the candidate with the fewest typing errors away. Case, hyphens and underscores do not matter.</summary>
internal static class Suggestion
{
    /// <summary>Nobody types more; text of files is not compared letter by letter.</summary>
    private const int LongestName = 100;

    /// <summary>The name without what people write differently: "CIFAR-10" and "cifar_10" are "cifar10".</summary>
    public static string Plain(string name) => name.Replace("-", "").Replace("_", "").ToLowerInvariant();

    /// <summary>"; did you mean X" or nothing when no candidate is close.</summary>
    public static string For(string typed, IEnumerable<string> candidates) => Closest(typed, candidates) is { } match ? $"; did you mean {match}" : "";

    public static string? Closest(string typed, IEnumerable<string> candidates)
    {
        if (typed.Length > LongestName) return null;
        string plain = Plain(typed);
        int limit = Math.Max(1, plain.Length / 3);
        return candidates.Select(c => (Text: c, Distance: Distance(plain, Plain(c))))
            .Where(c => c.Distance <= limit || (plain.Length >= 3 && Plain(c.Text).Contains(plain))).OrderBy(c => c.Distance).Select(c => c.Text).FirstOrDefault();
    }

    /// <summary>Insertions, deletions, replacements and swaps of neighbours.</summary>
    private static int Distance(string a, string b)
    {
        var d = new int[a.Length + 1, b.Length + 1];
        for (int i = 0; i <= a.Length; i++) d[i, 0] = i;
        for (int j = 0; j <= b.Length; j++) d[0, j] = j;
        for (int i = 1; i <= a.Length; i++)
        {
            for (int j = 1; j <= b.Length; j++)
            {
                int replace = d[i - 1, j - 1] + (a[i - 1] == b[j - 1] ? 0 : 1);
                d[i, j] = Math.Min(replace, Math.Min(d[i - 1, j], d[i, j - 1]) + 1);
                if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1]) d[i, j] = Math.Min(d[i, j], d[i - 2, j - 2] + 1);
            }
        }
        return d[a.Length, b.Length];
    }
}
