using System.Net;
using System.Net.Http.Headers;
using System.Security.Cryptography;
using Asni.Formats;

namespace Asni.Data.Download;

/// <summary>
/// Fetches one file into NAME.part, asking for the rest where a part is already there, and gives it its name once its SHA-256 is right.
/// Nothing longer than the file is taken, nor anything that comes slower than <see cref="LeastProgress"/> in each span of silence.
/// </summary>
internal sealed class FileFetcher
{
    /// <summary>Bytes that have to come in each span of the longest silence: 2 KiB a second by default.</summary>
    public const int LeastProgress = 1 << 16;

    private const int MaxRedirects = 10;

    private readonly HttpClient _client;
    private readonly TimeSpan _silence;

    /// <param name="client">By default one of its own, without a limit on the whole transfer.</param>
    /// <param name="silence">How long a server may say nothing.</param>
    public FileFetcher(HttpClient? client = null, TimeSpan? silence = null)
    {
        // Redirects are followed here, where it is seen where they lead.
        var handler = new SocketsHttpHandler { ConnectTimeout = TimeSpan.FromSeconds(15), AllowAutoRedirect = false };
        _client = client ?? new HttpClient(handler) { Timeout = Timeout.InfiniteTimeSpan };
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
                long before = UsablePart(part, file.Bytes);
                try
                {
                    if (before < file.Bytes) await TransferAsync(address, file, part, before, progress, cancel);
                }
                catch (Exception e) when (IsNetworkFailure(e, cancel))
                {
                    failure = Describe(e);
                    answered |= !IsUnreachable(e);
                    // A connection that broke on the way is taken up again, for as long as that brings enough.
                    if (UsablePart(part, file.Bytes) - before >= LeastProgress) continue;
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
    private async Task TransferAsync(Uri address, RemoteFile wanted, string part, long have, IProgress<DownloadProgress>? progress, CancellationToken cancel)
    {
        using var silence = CancellationTokenSource.CreateLinkedTokenSource(cancel);
        silence.CancelAfter(_silence);
        using HttpResponseMessage response = await SendAsync(address, have, silence.Token);

        // Nothing follows what is there: whether that is the file, its digest tells.
        if (response.StatusCode == HttpStatusCode.RequestedRangeNotSatisfiable && have > 0) return;
        response.EnsureSuccessStatusCode();
        if (response.StatusCode != HttpStatusCode.PartialContent || response.Content.Headers.ContentRange?.From != have) have = 0;

        long? total = response.Content.Headers.ContentLength + have;
        if (total is { } length && length != wanted.Bytes) throw new HttpRequestException($"offers {length} bytes, not the file's {wanted.Bytes}");
        await using Stream body = await response.Content.ReadAsStreamAsync(silence.Token);
        await using FileStream file = OpenPart(part, have);
        byte[] buffer = new byte[1 << 16];
        silence.CancelAfter(_silence);
        long counted = have;
        while (true)
        {
            int read = await ReadAsync(body, buffer, silence.Token);
            if (read == 0) break;
            if (have + read > wanted.Bytes) throw new HttpRequestException($"sends more than the file's {wanted.Bytes} bytes");
            await file.WriteAsync(buffer.AsMemory(0, read), cancel);
            have += read;
            progress?.Report(new DownloadProgress(wanted.Name, have, wanted.Bytes));
            if (have - counted < LeastProgress) continue;
            counted = have;
            silence.CancelAfter(_silence);
        }
        if (have < wanted.Bytes) throw new HttpRequestException("the connection closed early");
        file.Flush(flushToDisk: true);
    }

    /// <summary>The answer to a request for what follows the first bytes, after redirects to the same scheme or from http to https.</summary>
    private async Task<HttpResponseMessage> SendAsync(Uri address, long from, CancellationToken cancel)
    {
        for (int redirects = 0; ; redirects++)
        {
            using var request = new HttpRequestMessage(HttpMethod.Get, address);
            if (from > 0) request.Headers.Range = new RangeHeaderValue(from, null);
            HttpResponseMessage response = await _client.SendAsync(request, HttpCompletionOption.ResponseHeadersRead, cancel);
            if (response.StatusCode is not (HttpStatusCode.MovedPermanently or HttpStatusCode.Found or HttpStatusCode.SeeOther
                or HttpStatusCode.TemporaryRedirect or HttpStatusCode.PermanentRedirect)) return response;
            using (response) address = Redirected(address, response);
            if (redirects == MaxRedirects) throw new HttpRequestException($"redirects more than {MaxRedirects} times");
        }
    }

    private static Uri Redirected(Uri from, HttpResponseMessage response)
    {
        string? place = response.Headers.NonValidated.TryGetValues("Location", out HeaderStringValues values) ? values.ToString() : null;
        if (!Uri.TryCreate(from, place, out Uri? to)) throw new HttpRequestException("redirects to nowhere");
        if (to.Scheme == Uri.UriSchemeHttps || to.Scheme == from.Scheme) return to;
        throw new HttpRequestException($"redirects from {from.Scheme} to {to.Scheme}, which is refused");
    }

    /// <summary>The part to write to, cut to its first bytes. A link that somebody left at its name is not followed.</summary>
    private static FileStream OpenPart(string part, long have)
    {
        if (have == 0) return AtomicFile.CreateNew(part, FileShare.None, bufferSize: 4096);
        var file = new FileStream(part, FileMode.Open, FileAccess.Write, FileShare.None);
        file.SetLength(have);
        file.Position = have;
        return file;
    }

    /// <summary>Length of what can be gone on with; what is a link, or longer than the file, is removed.</summary>
    private static long UsablePart(string part, long max)
    {
        var file = new FileInfo(part);
        if (file.LinkTarget is null && (!file.Exists || file.Length <= max)) return file.Exists ? file.Length : 0;
        file.Delete();
        return 0;
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

    /// <summary>A client of the caller's own may follow redirects itself, and find addresses that are none.</summary>
    private static bool IsNetworkFailure(Exception e, CancellationToken cancel) =>
        e is HttpRequestException or UriFormatException or NotSupportedException || (e is OperationCanceledException && !cancel.IsCancellationRequested);

    private static bool IsUnreachable(Exception e) =>
        e is OperationCanceledException or HttpRequestException { HttpRequestError: HttpRequestError.NameResolutionError or HttpRequestError.ConnectionError };

    private static string Describe(Exception e) => e switch
    {
        OperationCanceledException => "no answer in time, or too slow a one",
        HttpRequestException { StatusCode: { } status } => $"answered {(int)status} {status}",
        _ => e.Message.TrimEnd('.'),
    };
}
