using System.Collections.Concurrent;
using System.Net;
using System.Net.Sockets;

namespace Asni.Tests.Data;

/// <summary>A web server on this machine that serves bytes by path, with ranges, and misbehaves as asked.</summary>
internal sealed class LoopbackServer : IDisposable
{
    private readonly HttpListener _listener = new();
    private readonly ConcurrentDictionary<string, byte[]> _files = new();
    private readonly ConcurrentDictionary<string, Action<HttpListenerResponse>> _answers = new();
    private readonly Task _loop;

    public LoopbackServer()
    {
        var probe = new TcpListener(IPAddress.Loopback, 0);
        probe.Start();
        int port = ((IPEndPoint)probe.LocalEndpoint).Port;
        probe.Stop();
        Root = new Uri($"http://127.0.0.1:{port}/");
        _listener.Prefixes.Add(Root.AbsoluteUri);
        _listener.Start();
        _loop = Task.Run(Loop);
    }

    public Uri Root { get; }

    /// <summary>"PATH" or "PATH from N", in order.</summary>
    public ConcurrentQueue<string> Requests { get; } = new();

    /// <summary>Break the connection after this many bytes of a response; once each.</summary>
    public ConcurrentQueue<int> BreakAfter { get; } = new();

    public bool SupportsRanges { get; set; } = true;

    public void Serve(string path, byte[] content) => _files["/" + path] = content;

    /// <summary>Answers a path as the test likes.</summary>
    public void Serve(string path, Action<HttpListenerResponse> answer) => _answers["/" + path] = answer;

    public void Dispose()
    {
        _listener.Close();
        _loop.Wait(TimeSpan.FromSeconds(5));
    }

    private void Loop()
    {
        try
        {
            while (_listener.IsListening) Answer(_listener.GetContext());
        }
        catch (Exception e) when (e is HttpListenerException or ObjectDisposedException or InvalidOperationException)
        {
            // Closed.
        }
    }

    private static void Misbehave(Action<HttpListenerResponse> answer, HttpListenerResponse response)
    {
        try
        {
            answer(response);
        }
        catch (Exception e) when (e is HttpListenerException or IOException or ObjectDisposedException or InvalidOperationException)
        {
            // The client had enough.
        }
    }

    private void Answer(HttpListenerContext context)
    {
        string path = context.Request.Url!.AbsolutePath;
        string? range = SupportsRanges ? context.Request.Headers["Range"] : null;
        int from = range == null ? 0 : int.Parse(range["bytes=".Length..^1]);
        Requests.Enqueue(from == 0 ? path : $"{path} from {from}");
        using HttpListenerResponse response = context.Response;
        if (_answers.TryGetValue(path, out Action<HttpListenerResponse>? answer))
        {
            Misbehave(answer, response);
            return;
        }
        if (!_files.TryGetValue(path, out byte[]? content))
        {
            response.StatusCode = 404;
            return;
        }
        if (range != null && from >= content.Length)
        {
            response.StatusCode = 416;
            return;
        }
        if (range != null)
        {
            response.StatusCode = 206;
            response.Headers["Content-Range"] = $"bytes {from}-{content.Length - 1}/{content.Length}";
        }
        response.ContentLength64 = content.Length - from;
        if (BreakAfter.TryDequeue(out int limit))
        {
            response.OutputStream.Write(content, from, limit);
            response.OutputStream.Flush();
            response.Abort();
            return;
        }
        response.OutputStream.Write(content, from, content.Length - from);
    }
}
