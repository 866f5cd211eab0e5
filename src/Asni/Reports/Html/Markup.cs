using System.Globalization;
using System.Net;
using System.Text;

namespace Asni.Reports.Html;

/// <summary>Text of an HTML page being put together. Holes of interpolated strings are escaped, in invariant culture.</summary>
internal sealed class Markup
{
    private readonly StringBuilder _text = new();

    /// <summary>Adds the literal parts as they are and the holes escaped.</summary>
    public Markup Add(FormattableString html)
    {
        object?[] escaped = [.. html.GetArguments().Select(a => a switch
        {
            Markup inner => inner.ToString(),
            IFormattable or null => a,
            _ => WebUtility.HtmlEncode(a.ToString()),
        })];
        _text.AppendFormat(CultureInfo.InvariantCulture, html.Format, escaped).Append('\n');
        return this;
    }

    /// <summary>Adds text that is HTML already.</summary>
    public Markup Raw(string html)
    {
        _text.Append(html).Append('\n');
        return this;
    }

    public override string ToString() => _text.ToString();
}
