using System.Net;
using System.Net.Http.Headers;
using System.Security.Cryptography;

namespace Asni.Data.Download;

/// <summary>
/// Fetches one file into NAME.part, asking for the rest where a part is already there, and gives it its name once its SHA-256 is right.
/// </summary>
internal sealed class FileFetcher
{
    private readonly HttpClient _client;
    private readonly TimeSpan _silence;

    /// <param name="client">By default one of its own, without a limit on the whole transfer.</param>
    /// <param name="silence">How long a server may say nothing.</param>
    public FileFetcher(HttpClient? client = null, TimeSpan? silence = null)
    {
        _client = client ?? new HttpClient(new SocketsHttpHandler { ConnectTimeout = TimeSpan.FromSeconds(15) }) { Timeout = Timeout.InfiniteTimeSpan };
        _silence = silence ?? TimeSpan.FromSeconds(30);
    }

    public static async Task<string> DigestAsync(string path, CancellationToken cancel)
    {
        await using FileStream file = File.OpenRead(path);
        return Convert.ToHexStringLower(await SHA256.HashDataAsync(file, cancel));
    }

    /// <exception cref="AsniException">Every mirror failed; the message says how.</exception>
    public async Task FetchAsync(RemoteFile file, string folder, IProgress<DownloadProgress>? progress, CancellationToken cancel)
    {
        string part = Path.Combine(folder, file.Name + ".part");
        var failures = new List<string>();
        bool answered = false;
        foreach (Uri address in file.Addresses)
        {
            string failure;
            while (true)
            {
                long before = Length(part);
                try
                {
                    await TransferAsync(address, file.Name, part, progress, cancel);
                }
                catch (Exception e) when (IsNetworkFailure(e, cancel))
                {
                    failure = Describe(e);
                    answered |= e is HttpRequestException { HttpRequestError: not (HttpRequestError.NameResolutionError or HttpRequestError.ConnectionError) };
                    // A connection that broke on the way is taken up again, for as long as that brings something.
                    if (Length(part) > before) continue;
                    break;
                }
                answered = true;
                if (await DigestAsync(part, cancel) == file.Sha256)
                {
                    File.Move(part, Path.Combine(folder, file.Name), overwrite: true);
                    return;
                }
                // An old part may have spoilt it: once more from the start; if that is wrong too, the mirror is at fault.
                File.Delete(part);
                failure = "the file's SHA-256 is not the published one";
                if (before == 0) break;
            }
            failures.Add($"{address.Host}: {failure}");
        }
        string remedy = answered ? "try again later" : "check the network connection, or copy the file there by hand";
        throw new AsniException($"'{file.Name}' could not be downloaded to '{folder}' ({string.Join("; ", failures)}); {remedy}.");
    }

    /// <summary>Appends the rest of the file to the part, or starts over where the server does not resume.</summary>
    private async Task TransferAsync(Uri address, string name, string part, IProgress<DownloadProgress>? progress, CancellationToken cancel)
    {
        long have = Length(part);
        using var request = new HttpRequestMessage(HttpMethod.Get, address);
        if (have > 0) request.Headers.Range = new RangeHeaderValue(have, null);

        using var silence = CancellationTokenSource.CreateLinkedTokenSource(cancel);
        silence.CancelAfter(_silence);
        using HttpResponseMessage response = await _client.SendAsync(request, HttpCompletionOption.ResponseHeadersRead, silence.Token);

        // Nothing follows what is there: whether that is the file, its digest tells.
        if (response.StatusCode == HttpStatusCode.RequestedRangeNotSatisfiable && have > 0) return;
        response.EnsureSuccessStatusCode();
        if (response.StatusCode != HttpStatusCode.PartialContent || response.Content.Headers.ContentRange?.From != have) have = 0;

        long? total = response.Content.Headers.ContentLength + have;
        await using Stream body = await response.Content.ReadAsStreamAsync(silence.Token);
        await using var file = new FileStream(part, FileMode.OpenOrCreate, FileAccess.Write, FileShare.None);
        file.SetLength(have);
        file.Position = have;
        byte[] buffer = new byte[1 << 16];
        while (true)
        {
            silence.CancelAfter(_silence);
            int read = await ReadAsync(body, buffer, silence.Token);
            if (read == 0) break;
            await file.WriteAsync(buffer.AsMemory(0, read), cancel);
            have += read;
            progress?.Report(new DownloadProgress(name, have, total));
        }
        if (have < total) throw new HttpRequestException("the connection closed early");
        file.Flush(flushToDisk: true);
    }

    /// <summary>A failure to read from the network, told from a failure to write to the disk, which is an IOException too.</summary>
    private static async ValueTask<int> ReadAsync(Stream body, Memory<byte> buffer, CancellationToken silence)
    {
        try
        {
            return await body.ReadAsync(buffer, silence);
        }
        catch (IOException e)
        {
            throw new HttpRequestException($"the connection broke ({e.Message.TrimEnd('.')})", e);
        }
    }

    private static long Length(string path) => File.Exists(path) ? new FileInfo(path).Length : 0;

    private static bool IsNetworkFailure(Exception e, CancellationToken cancel) =>
        e is HttpRequestException || (e is OperationCanceledException && !cancel.IsCancellationRequested);

    private static string Describe(Exception e) => e switch
    {
        OperationCanceledException => "no answer in time",
        HttpRequestException { StatusCode: { } status } => $"answered {(int)status} {status}",
        _ => e.Message.TrimEnd('.'),
    };
}
