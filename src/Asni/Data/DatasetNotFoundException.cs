namespace Asni.Data;

/// <summary>The files of a dataset are in none of the folders that were looked into.</summary>
public sealed class DatasetNotFoundException : AsniException
{
    internal DatasetNotFoundException(FileDataset dataset, DatasetLocator locator, string message) : base(message)
    {
        Dataset = dataset.Name;
        Folders = locator.Folders;
        NamedFolder = locator.NamedFolder;
        Substitute = dataset.Substitute;
    }

    /// <summary>Name of the dataset; <see cref="Download.DatasetDownloader"/> gets those in its list.</summary>
    public string Dataset { get; }

    /// <summary>Where it was looked for, in order.</summary>
    public IReadOnlyList<string> Folders { get; }

    /// <summary>The folder that the caller named; null where the usual folders were looked into.</summary>
    public string? NamedFolder { get; }

    /// <summary>False when the named folder does not exist.</summary>
    public bool FolderExists { get; internal init; } = true;

    /// <summary>A synthetic dataset of as many channels, which needs no files.</summary>
    public string Substitute { get; }
}
