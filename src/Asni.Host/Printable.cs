using System.Globalization;
using System.Text;

namespace Asni.Host;

/// <summary>
/// Text as a terminal may show it. Names of files, classes and tensors come from outside: control characters would move the cursor or run a terminal's
/// commands, and marks of direction would turn the line around.
/// </summary>
internal static class Printable
{
    /// <summary>One line, control characters as C# writes them: \n, \t, \u001b.</summary>
    public static string Line(string text) => Escape(text, keepLines: false);

    /// <summary>The same with line breaks as they are, for a stack trace.</summary>
    public static string Lines(string text) => Escape(text, keepLines: true);

    private static string Escape(string text, bool keepLines)
    {
        if (!text.EnumerateRunes().Any(IsUnsafe)) return text;
        var safe = new StringBuilder();
        foreach (Rune rune in text.EnumerateRunes())
        {
            if (!IsUnsafe(rune) || (keepLines && rune.Value is '\n' or '\r')) safe.Append(rune.ToString());
            else safe.Append(rune.Value switch
            {
                '\n' => @"\n",
                '\r' => @"\r",
                '\t' => @"\t",
                <= 0xffff => string.Create(CultureInfo.InvariantCulture, $"\\u{rune.Value:x4}"),
                _ => string.Create(CultureInfo.InvariantCulture, $"\\U{rune.Value:x8}"),
            });
        }
        return safe.ToString();
    }

    /// <summary>Control characters, separators of lines, and marks that are not seen but change what is.</summary>
    private static bool IsUnsafe(Rune rune) => Rune.GetUnicodeCategory(rune) switch
    {
        UnicodeCategory.Control or UnicodeCategory.LineSeparator or UnicodeCategory.ParagraphSeparator or UnicodeCategory.Surrogate => true,
        // Joiners belong to emoji and to several scripts.
        UnicodeCategory.Format => rune.Value is not (0x200c or 0x200d),
        _ => false,
    };
}
