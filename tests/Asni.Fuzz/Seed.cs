namespace Asni.Fuzz;

/// <summary>Files of the tests, and those that writers of the library make.</summary>
internal static class Seed
{
    public static byte[] Read(string name)
    {
        using Stream stream = typeof(Seed).Assembly.GetManifestResourceStream("seeds/" + name) ?? throw new InvalidOperationException($"there is no seed {name}");
        using var copy = new MemoryStream();
        stream.CopyTo(copy);
        return copy.ToArray();
    }

    /// <summary>What is written to a path.</summary>
    public static byte[] Written(Action<string> write)
    {
        string path = Path.Combine(Path.GetTempPath(), $"asni-seed-{Environment.ProcessId}");
        try
        {
            write(path);
            return File.ReadAllBytes(path);
        }
        finally
        {
            File.Delete(path);
        }
    }
}
