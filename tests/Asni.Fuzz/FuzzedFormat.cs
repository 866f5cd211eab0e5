namespace Asni.Fuzz;

/// <summary>A format that the program reads, and how its reader is attacked.</summary>
/// <param name="Seeds">Sound files, from which inputs are made.</param>
/// <param name="Finish">Makes a file of a changed seed: puts checksums and lengths right, so that changes get behind the first check. Most inputs should be so.</param>
/// <param name="Load">Reads the file at this path in full.</param>
/// <param name="FileName">Of inputs; what the reader expects.</param>
internal sealed record FuzzedFormat(string Name, byte[][] Seeds, Func<byte[], Random, byte[]> Finish, Action<string> Load, string FileName)
{
    public static IReadOnlyList<FuzzedFormat> All { get; } = [.. ImageFormats.All(), .. NetworkFiles.All(), .. DataFormats.All(), .. TextFormats.All()];

    /// <summary>An input; the same for the same number.</summary>
    public byte[] Input(int seed, long number)
    {
        var random = new Random(unchecked(seed * 1_000_003 + (int)number));
        return Finish(Mutation.Apply(Seeds[random.Next(Seeds.Length)], Seeds, random), random);
    }

    /// <summary>For formats whose files have nothing to put right, and to attack the checks themselves.</summary>
    public static byte[] AsIs(byte[] file, Random random) => file;
}
