using System.Text;

namespace Asni.Host;

/// <summary>
/// Passes text on to an output that may go away or fill up. A run must not end for it, so failures are remembered, not thrown; what comes later is tried again.
/// </summary>
internal sealed class LastingWriter(TextWriter output) : TextWriter
{
    /// <summary>Why something could not be written; null when all was.</summary>
    public Exception? Failure { get; private set; }

    public override Encoding Encoding => output.Encoding;

    public override void Write(char value) => Try(() => output.Write(value));
    public override void Write(string? value) => Try(() => output.Write(value));
    public override void Write(char[] buffer, int index, int count) => Try(() => output.Write(buffer, index, count));
    public override void WriteLine() => Try(output.WriteLine);
    public override void WriteLine(string? value) => Try(() => output.WriteLine(value));
    public override void Flush() => Try(output.Flush);

    private void Try(Action write)
    {
        try
        {
            write();
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException or ObjectDisposedException)
        {
            Failure ??= e;
        }
    }
}
