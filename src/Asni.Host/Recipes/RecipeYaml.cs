using System.Buffers;
using System.Text;
using Asni.Settings;
using YamlDotNet.Core;
using YamlDotNet.Core.Events;

namespace Asni.Host.Recipes;

/// <summary>Recipes as YAML: one flat mapping whose keys are the flags without their dashes.</summary>
internal static class RecipeYaml
{
    /// <summary>Of a recipe in characters: many times what all settings take.</summary>
    private const int Longest = 1 << 20;

    /// <param name="name">For messages: the file's name.</param>
    /// <exception cref="UsageException">Names the line and what is wrong there.</exception>
    public static SettingsLayer Parse(string text, string name)
    {
        var parser = new Parser(new StringReader(text));
        try
        {
            return Parse(parser, name);
        }
        catch (Exception e) when (e is YamlException or ArgumentException or InvalidOperationException)
        {
            // The parser throws the latter two itself for some texts that are no YAML.
            long line = (e as YamlException)?.Start.Line ?? parser.Current?.End.Line ?? 1;
            throw new UsageException($"{name} line {line}: {e.Message.Split('\n')[0].TrimEnd('.')}.", e);
        }
    }

    /// <summary>Event by event: what is nested is refused where it begins, however deep it goes.</summary>
    private static SettingsLayer Parse(Parser parser, string name)
    {
        var values = new Dictionary<string, SettingValue>();
        parser.Consume<StreamStart>();
        if (!parser.TryConsume<DocumentStart>(out _)) return new SettingsLayer(values);
        if (!parser.TryConsume<MappingStart>(out _)) throw new UsageException($"{name} is not a recipe: lines of the form 'key: value' were expected.");
        while (!parser.TryConsume<MappingEnd>(out _))
        {
            long line = parser.Current!.Start.Line;
            string where = $"{name} line {line}";
            if (!parser.TryConsume<Scalar>(out var key)) throw new UsageException($"{where}: a key was expected, one word.");
            if (RunSettingList.Find(key.Value) is null)
                throw new UsageException($"{where}: unknown key '{key.Value}'{Suggestion.For(key.Value, RunSettingList.All.Select(s => s.Key))}.");
            string origin = $"{where}: {key.Value}";
            if (!values.TryAdd(key.Value, new SettingValue(Value(parser, origin), origin))) throw new UsageException($"{origin} is there twice.");
        }
        parser.Consume<DocumentEnd>();
        if (!parser.TryConsume<StreamEnd>(out _)) throw new UsageException($"{name} line {parser.Current!.Start.Line}: a second document begins; a recipe is one.");
        return new SettingsLayer(values);
    }

    /// <summary>A value; those of a list with commas between them.</summary>
    private static string Value(Parser parser, string origin)
    {
        if (parser.TryConsume<Scalar>(out var scalar)) return scalar.Value;
        if (parser.Accept<AnchorAlias>(out _)) throw new UsageException($"{origin} refers to another value; write it out.");
        if (!parser.TryConsume<SequenceStart>(out _)) throw Nested();
        var items = new List<string>();
        while (!parser.TryConsume<SequenceEnd>(out _)) items.Add(parser.TryConsume<Scalar>(out var item) ? item.Value : throw Nested());
        return string.Join(',', items);

        UsageException Nested() => new($"{origin} is nested; a value or a list was expected.");
    }

    /// <summary>Reads a recipe file.</summary>
    /// <exception cref="UsageException">It does not exist, or is no recipe.</exception>
    public static SettingsLayer Load(string path)
    {
        if (Directory.Exists(path)) throw new UsageException($"the recipe {path} is a folder; a file was expected.");
        try
        {
            using var reader = new StreamReader(path);
            var text = new char[Longest + 1];
            int length = reader.ReadBlock(text);
            return length <= Longest ? Parse(new string(text, 0, length), path)
                : throw new UsageException($"{path} is not a recipe: it has more than {Longest:N0} characters.");
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
        foreach (Setting<RunSettings> setting in RunSettingList.ForMethod(settings.Recipe.Method))
            if (setting.Get(settings) is { } value) text.Append(setting.Key).Append(": ").Append(Quoted(value)).Append('\n');
        return text.ToString();
    }

    /// <summary>
    /// What a recipe makes of a run whatever its seed: every setting that has an effect, with defaults filled in and with what follows from others. Recipes of
    /// one meaning give one text, whichever version wrote them.
    /// </summary>
    /// <exception cref="UsageException">It is no recipe.</exception>
    public static string Meaning(string text, string name)
    {
        var settings = SettingsLayer.Apply(Parse(text, name).Without("seed"));
        settings = settings with { Recipe = settings.Recipe with { Method = settings.Recipe.Method.Explicit(settings.Recipe) } };
        return string.Join('\n', RunSettingList.ForMethod(settings.Recipe.Method).Where(s => SettingsLayer.GetIdleReason(s.Key, settings) is null)
            .Select(s => $"{s.Key}: {s.Get(settings)}"));
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
}
