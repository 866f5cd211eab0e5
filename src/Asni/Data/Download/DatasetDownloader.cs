using System.Collections.Immutable;
using System.Formats.Tar;
using System.IO.Compression;

namespace Asni.Data.Download;

/// <summary>How far a file has come: bytes so far, and of how many where the server said.</summary>
internal readonly record struct DownloadProgress(string File, long Received, long? Total);

/// <summary>Fetches public datasets: mirrors in order, partial files resumed, digests checked, archives unpacked.</summary>
internal sealed class DatasetDownloader
{
    private readonly FileFetcher _fetcher;

    /// <param name="client">By default one with no limit on a whole transfer; a silent server is given up on after half a minute.</param>
    public DatasetDownloader(HttpClient? client = null) : this(new FileFetcher(client)) { }

    /// <summary>Names of the datasets that can be downloaded.</summary>
    public static ImmutableArray<string> Datasets => DownloadSources.Names;

    internal DatasetDownloader(FileFetcher fetcher) => _fetcher = fetcher;

    /// <summary>Puts the named dataset into <paramref name="dataDir"/>/NAME; files that are there already and whole are kept.</summary>
    /// <returns>The folder that holds the files.</returns>
    /// <exception cref="DownloadUnavailableException">It is not one of <see cref="Datasets"/>.</exception>
    /// <exception cref="UsageException">No such dataset.</exception>
    /// <exception cref="AsniException">No mirror could be reached or gave the right bytes, or the disk refused.</exception>
    /// <exception cref="OperationCanceledException">Cancelled; what has come stays in a .part file and is resumed next time.</exception>
    public Task<string> GetAsync(
        string name, string dataDir, IProgress<DownloadProgress>? progress = null, CancellationToken cancel = default) =>
        GetAsync(DownloadSources.For(name), dataDir, progress, cancel);

    internal async Task<string> GetAsync(
        DownloadSource source, string dataDir, IProgress<DownloadProgress>? progress, CancellationToken cancel)
    {
        string folder = Path.GetFullPath(Path.Combine(dataDir, source.Dataset));
        try
        {
            Directory.CreateDirectory(folder);
            if (source.Unpacked is not { } unpacked)
            {
                foreach (RemoteFile file in source.Files)
                    if (!await IsWholeAsync(Path.Combine(folder, file.Name), file.Sha256, cancel))
                        await _fetcher.FetchAsync(file, folder, progress, cancel);
                return folder;
            }

            // The unpacked folder appears by one rename, so when it is there it is whole.
            string target = Path.Combine(folder, unpacked.Folder);
            if (unpacked.Files.All(f => File.Exists(Path.Combine(target, f)))) return target;
            foreach (RemoteFile file in source.Files)
            {
                string archive = Path.Combine(folder, file.Name);
                if (!await IsWholeAsync(archive, file.Sha256, cancel)) await _fetcher.FetchAsync(file, folder, progress, cancel);
                await UnpackAsync(archive, target, unpacked.Files, cancel);
                File.Delete(archive);
            }
            return target;
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            throw new AsniException($"The data folder '{folder}' cannot be written: {e.Message}", e);
        }
        finally
        {
            // Nothing came: nothing is left behind, not even a folder.
            if (Directory.Exists(folder) && !Directory.EnumerateFileSystemEntries(folder).Any()) Directory.Delete(folder);
        }
    }

    private static async Task<bool> IsWholeAsync(string path, string sha256, CancellationToken cancel) =>
        File.Exists(path) && await FileFetcher.DigestAsync(path, cancel) == sha256;

    /// <summary>Takes the wanted files, by name and whatever folder they are in, out of a tar.gz.</summary>
    private static async Task UnpackAsync(string archive, string target, IReadOnlyList<string> wanted, CancellationToken cancel)
    {
        string aside = target + ".part";
        if (Directory.Exists(aside)) Directory.Delete(aside, recursive: true);
        Directory.CreateDirectory(aside);
        var missing = new HashSet<string>(wanted);
        await using (var gzip = new GZipStream(File.OpenRead(archive), CompressionMode.Decompress))
        await using (var tar = new TarReader(gzip))
        {
            while (missing.Count > 0 && await tar.GetNextEntryAsync(cancellationToken: cancel) is { } entry)
            {
                string name = entry.Name[(entry.Name.LastIndexOf('/') + 1)..];
                if (entry.DataStream == null || !missing.Remove(name)) continue;
                await using var file = new FileStream(Path.Combine(aside, name), FileMode.CreateNew, FileAccess.Write);
                await entry.DataStream.CopyToAsync(file, cancel);
                file.Flush(flushToDisk: true);
            }
        }
        if (missing.Count > 0)
            throw new AsniException($"The archive '{archive}' lacks {string.Join(", ", missing)}; delete it and get it again.");
        if (Directory.Exists(target)) Directory.Delete(target, recursive: true);
        Directory.Move(aside, target);
    }
}
