namespace Asni.Data.Download;

/// <summary>A dataset that cannot be downloaded: its owner gives it to those who register, it is the caller's own, or it is drawn.</summary>
internal sealed class DownloadUnavailableException : UsageException
{
    internal DownloadUnavailableException(string dataset, bool isProcedural, string message) : base(message) => (Dataset, IsProcedural) = (dataset, isProcedural);

    /// <summary>Name of the dataset.</summary>
    public string Dataset { get; }

    /// <summary>Whether it is drawn from a seed and needs no files.</summary>
    public bool IsProcedural { get; }
}
