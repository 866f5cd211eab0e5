using Asni.Formats;

namespace Asni.Peers;

/// <summary>A Markdown file with tables that programs write, each between a line &lt;!-- NAME --&gt; and a line &lt;!-- /NAME --&gt;.</summary>
internal sealed class MarkdownPage(string path)
{
    /// <exception cref="AsniException">The file cannot be read, or has no such table: told before hours of measuring.</exception>
    public void Require(string name) => Find(Read(), name);

    public void Write(string name, IEnumerable<string> lines)
    {
        string[] text = Read();
        (int begin, int end) = Find(text, name);
        string[] written = [.. text[..(begin + 1)], .. lines, .. text[end..]];
        AtomicFile.WriteText(path, string.Join('\n', written) + "\n");
    }

    private string[] Read()
    {
        try
        {
            return File.ReadAllLines(path);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            throw new AsniException($"{path} cannot be read: {e.Message}");
        }
    }

    private (int Begin, int End) Find(string[] text, string name)
    {
        int begin = Array.IndexOf(text, $"<!-- {name} -->"), end = Array.IndexOf(text, $"<!-- /{name} -->");
        return begin >= 0 && end > begin ? (begin, end) : throw new AsniException($"{path} needs a line <!-- {name} --> with a line <!-- /{name} --> after it.");
    }
}
