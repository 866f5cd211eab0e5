using System.Buffers;
using System.Text;
using YamlDotNet.Core;
using YamlDotNet.RepresentationModel;

namespace Asni.Host.Recipes;

/// <summary>Recipes as YAML: one flat mapping whose keys are the flags without their dashes.</summary>
internal static class RecipeYaml
{
    /// <param name="name">For messages: the file's name.</param>
    /// <exception cref="UsageException">Names the line and what is wrong there.</exception>
    public static SettingsLayer Parse(string text, string name)
    {
        var values = new Dictionary<string, SettingValue>();
        foreach ((YamlNode keyNode, YamlNode valueNode) in Root(text, name))
        {
            string key = (keyNode as YamlScalarNode)?.Value ?? "";
            string where = $"{name} line {keyNode.Start.Line}";
            if (Settings.Find(key) is null)
                throw new UsageException($"{where}: unknown key '{key}'{Suggestion.For(key, Settings.All.Select(s => s.Key))}.");
            values[key] = new SettingValue(Text(valueNode, $"{where}: {key}"), $"{where}: {key}");
        }
        return new SettingsLayer(values);
    }

    /// <summary>Reads a recipe file.</summary>
    /// <exception cref="UsageException">It does not exist, or is no recipe.</exception>
    public static SettingsLayer Load(string path)
    {
        try
        {
            return Parse(File.ReadAllText(path), path);
        }
        catch (Exception e) when (e is FileNotFoundException or DirectoryNotFoundException)
        {
            throw new UsageException($"the recipe {path} does not exist.", e);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            throw new UsageException($"cannot read the recipe {path}: {e.Message.TrimEnd('.')}.", e);
        }
    }

    /// <summary>The settings as a file that gives them back exactly.</summary>
    public static string Format(RunSettings settings, string comment)
    {
        var text = new StringBuilder();
        text.Append("# ").Append(comment).Append('\n');
        foreach (Setting setting in Settings.All)
            if (setting.Print(settings) is { } value) text.Append(setting.Key).Append(": ").Append(Quoted(value)).Append('\n');
        return text.ToString();
    }

    /// <summary>What needs no quotes: everything but the names of files that people choose.</summary>
    private static readonly SearchValues<char> s_plain = SearchValues.Create("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789./_-+,=()");

    /// <summary>Names of files may hold what means something to YAML, and even line breaks, which only double quotes keep.</summary>
    private static string Quoted(string value)
    {
        if (value.Length > 0 && char.IsAsciiLetterOrDigit(value.TrimStart('-', '.', '/', '_') is [var first, ..] ? first : ' ') && !value.AsSpan().ContainsAnyExcept(s_plain))
            return value;
        if (!value.Any(NeedsEscape)) return $"'{value.Replace("'", "''")}'";
        var text = new StringBuilder("\"");
        foreach (char c in value)
        {
            if (NeedsEscape(c)) text.Append(System.Globalization.CultureInfo.InvariantCulture, $"\\u{(int)c:x4}");
            else text.Append(c is '"' or '\\' ? $"\\{c}" : c);
        }
        return text.Append('"').ToString();
    }

    /// <summary>What YAML takes for a line's end or refuses in a file.</summary>
    private static bool NeedsEscape(char c) => char.IsControl(c) || c is '\u2028' or '\u2029' or '\ufeff' or '\ufffe' or '\uffff';

    private static YamlMappingNode Root(string text, string name)
    {
        var stream = new YamlStream();
        try
        {
            stream.Load(new StringReader(text));
        }
        catch (YamlException e)
        {
            throw new UsageException($"{name} line {e.Start.Line}: {e.Message.Split('\n')[0].TrimEnd('.')}.", e);
        }
        if (stream.Documents.Count == 0) return [];
        return stream.Documents[0].RootNode as YamlMappingNode
            ?? throw new UsageException($"{name} is not a recipe: lines of the form 'key: value' were expected.");
    }

    private static string Text(YamlNode node, string origin) => node switch
    {
        YamlScalarNode scalar => scalar.Value ?? "",
        YamlSequenceNode list when list.All(item => item is YamlScalarNode) => string.Join(',', list.Select(item => ((YamlScalarNode)item).Value)),
        _ => throw new UsageException($"{origin} is nested; a value or a list was expected."),
    };
}
