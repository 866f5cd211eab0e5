namespace Asni.Data.Download;

/// <summary>A dataset that cannot be downloaded: its owner gives it to those who register, it is the caller's own, or it is synthetic.</summary>
internal sealed class DownloadUnavailableException : UsageException
{
    internal DownloadUnavailableException(string dataset, bool isSynthetic, string message) : base(message) => (Dataset, IsSynthetic) = (dataset, isSynthetic);

    /// <summary>Name of the dataset.</summary>
    public string Dataset { get; }

    /// <summary>Whether it is computed from a seed and needs no files.</summary>
    public bool IsSynthetic { get; }
}
