namespace Asni.Data;

/// <summary>
/// Where datasets are looked for: in the named folder alone when one is named; otherwise in $ASNI_DATA, ./data and the user's cache, in this order. In each
/// folder the dataset may lie in a folder of its name or at once, as torchvision keeps it or as its archive unpacks.
/// </summary>
public sealed class DatasetLocator
{
    /// <summary>The environment variable that names a data folder.</summary>
    internal const string Variable = "ASNI_DATA";

    private readonly string? _dataDir;
    private readonly string[] _folders;

    /// <param name="dataDir">The named folder, or null.</param>
    /// <param name="environment">The value of $ASNI_DATA, or null.</param>
    /// <param name="working">The data folder beside the work, ./data.</param>
    /// <param name="cache">The user's cache.</param>
    /// <exception cref="UsageException">The named folder has an empty name.</exception>
    internal DatasetLocator(string? dataDir, string? environment, string working, string cache)
    {
        if (dataDir != null && string.IsNullOrWhiteSpace(dataDir)) throw new UsageException("the data folder has an empty name; give the name of a folder.");
        if (string.IsNullOrWhiteSpace(environment)) environment = null;
        _dataDir = dataDir;
        DownloadFolder = Path.GetFullPath(dataDir ?? environment ?? cache);
        string[] defaults = environment == null ? [working, cache] : [environment, working, cache];
        _folders = [.. (dataDir != null ? [dataDir] : defaults).Select(Path.GetFullPath)];
    }

    /// <summary>Where a download goes: the named folder, else $ASNI_DATA, else the user's cache.</summary>
    public string DownloadFolder { get; }

    /// <summary>The folders looked into, in order.</summary>
    public IReadOnlyList<string> Folders => _folders;

    /// <summary>True when a folder was named, so that nothing else will do.</summary>
    public bool HasNamedFolder => _dataDir != null;

    /// <summary>The named folder, as it was given.</summary>
    internal string? NamedFolder => _dataDir;

    /// <summary>The lookup order of this machine and user.</summary>
    public static DatasetLocator ForUser(string? dataDir = null) =>
        new(dataDir, Environment.GetEnvironmentVariable(Variable), "data", UserCache);

    /// <summary>$XDG_CACHE_HOME/asni or ~/.cache/asni; on Windows and macOS asni in the local application data.</summary>
    internal static string UserCache
    {
        get
        {
            string? cache = Environment.GetEnvironmentVariable("XDG_CACHE_HOME");
            if (string.IsNullOrWhiteSpace(cache))
                cache = OperatingSystem.IsWindows() || OperatingSystem.IsMacOS()
                    ? Environment.GetFolderPath(Environment.SpecialFolder.LocalApplicationData)
                    : Path.Combine(Environment.GetFolderPath(Environment.SpecialFolder.UserProfile), ".cache");
            return Path.Combine(cache, "asni");
        }
    }

    /// <summary>The folder that holds the named dataset's files, or null.</summary>
    /// <exception cref="UsageException">No dataset has this name.</exception>
    /// <exception cref="DatasetNotFoundException">The named folder does not exist.</exception>
    public string? Find(string name) => KnownDatasets.File(KnownDatasets.Resolve(name)) is { } dataset ? Find(dataset) : null;

    internal string? Find(FileDataset dataset)
    {
        if (_dataDir != null && !Directory.Exists(_dataDir))
            throw new DatasetNotFoundException(dataset, this, $"The data folder '{_dataDir}' {(File.Exists(_dataDir) ? "is a file" : "does not exist")}.") { FolderExists = false };
        foreach (string folder in _folders)
            foreach (string below in dataset.Folders)
            {
                string path = Path.TrimEndingDirectorySeparator(Path.Combine(folder, below));
                if (!(below == "" && BelongsToAnother(path, dataset)) && dataset.IsIn(path)) return path;
            }
        return null;
    }

    /// <summary>What was looked for in vain.</summary>
    internal DatasetNotFoundException NotFound(FileDataset dataset)
    {
        string source = dataset.Source is { } clause ? "; " + clause : "";
        return new DatasetNotFoundException(dataset, this, HasNamedFolder
            ? $"The data folder '{_dataDir}' lacks {dataset.Name}: expected {dataset.Expected} in it or in '{dataset.Name}' below it{source}."
            : $"No {dataset.Name} was found in {string.Join(", ", _folders)}{source}.");
    }

    /// <summary>MNIST and Fashion-MNIST have the same file names: a folder called after one does not hold the other.</summary>
    private static bool BelongsToAnother(string path, FileDataset dataset) =>
        dataset.SharesNames && KnownDatasets.FromFiles.Any(other =>
            other != dataset && other.SharesNames && Path.GetFileName(path).Equals(other.Name, StringComparison.OrdinalIgnoreCase));
}
