using Asni.Formats;

namespace Asni.Bench;

/// <summary>A Markdown file with tables that programs write, each between a line &lt;!-- NAME --&gt; and a line &lt;!-- /NAME --&gt;.</summary>
internal sealed class MarkdownPage(string path)
{
    /// <summary>Tells what is missing before hours of measuring.</summary>
    /// <exception cref="UsageException">The file does not exist, or has no such table.</exception>
    /// <exception cref="AsniException">It cannot be read.</exception>
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
        if (!File.Exists(path)) throw new UsageException($"{path} does not exist; --write needs a file that has the table's lines <!-- NAME --> and <!-- /NAME -->.");
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
        return begin >= 0 && end > begin ? (begin, end) : throw new UsageException($"{path} needs a line <!-- {name} --> with a line <!-- /{name} --> after it.");
    }
}
