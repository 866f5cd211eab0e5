using System.Buffers;
using System.Text;
using Asni.Settings;
using YamlDotNet.Core;
using YamlDotNet.Core.Events;

namespace Asni.Host.Recipes;

/// <summary>Values of a setting, in words, one of which each run of a sweep has.</summary>
/// <param name="Origin">Where they were given.</param>
internal sealed record GridAxis(string Key, string Origin, IReadOnlyList<string> Values);

/// <summary>Recipes as YAML: one flat mapping whose keys are the flags without their dashes.</summary>
internal static class RecipeYaml
{
    /// <summary>Of a recipe in characters: many times what all settings take.</summary>
    private const int Longest = 1 << 20;

    /// <summary>Of the values to choose from, in the file of a sweep.</summary>
    private const string GridKey = "grid";

    /// <param name="name">For messages: the file's name.</param>
    /// <exception cref="UsageException">Names the line and what is wrong there.</exception>
    public static SettingsLayer Parse(string text, string name) => Parse(text, name, null);

    /// <summary>A recipe that may have values to choose from, in a mapping of the key <see cref="GridKey"/>.</summary>
    /// <param name="grid">Receives them; null: such a key is none.</param>
    private static SettingsLayer Parse(string text, string name, List<GridAxis>? grid)
    {
        var parser = new Parser(new StringReader(text));
        try
        {
            return Parse(parser, name, grid);
        }
        catch (Exception e) when (e is YamlException or ArgumentException or InvalidOperationException)
        {
            // The parser throws the latter two itself for some texts that are no YAML.
            long line = (e as YamlException)?.Start.Line ?? parser.Current?.End.Line ?? 1;
            throw new UsageException($"{name} line {line}: {e.Message.Split('\n')[0].TrimEnd('.')}.", e);
        }
    }

    /// <summary>Event by event: what is nested is refused where it begins, however deep it goes.</summary>
    private static SettingsLayer Parse(Parser parser, string name, List<GridAxis>? grid)
    {
        var values = new Dictionary<string, SettingValue>();
        parser.Consume<StreamStart>();
        if (!parser.TryConsume<DocumentStart>(out _)) return new SettingsLayer(values);
        if (!parser.TryConsume<MappingStart>(out _)) throw new UsageException($"{name} is not a recipe: lines of the form 'key: value' were expected.");
        while (!parser.TryConsume<MappingEnd>(out _))
        {
            (string where, Scalar key) = Key(parser, name);
            if (grid is not null && key.Value == GridKey)
            {
                if (grid.Count > 0) throw new UsageException($"{where}: {GridKey} is there twice.");
                ParseGrid(parser, name, grid);
                continue;
            }
            string origin = Origin(key, where);
            if (!values.TryAdd(key.Value, new SettingValue(Value(parser, origin), origin))) throw new UsageException($"{origin} is there twice.");
        }
        parser.Consume<DocumentEnd>();
        if (!parser.TryConsume<StreamEnd>(out _)) throw new UsageException($"{name} line {parser.Current!.Start.Line}: a second document begins; a recipe is one.");
        return new SettingsLayer(values);
    }

    /// <summary>The key that is next, and where it stands.</summary>
    private static (string Where, Scalar Key) Key(Parser parser, string name)
    {
        string where = $"{name} line {parser.Current!.Start.Line}";
        return parser.TryConsume<Scalar>(out var key) ? (where, key) : throw new UsageException($"{where}: a key was expected, one word.");
    }

    /// <summary>What messages call a value of this key, which is to be a setting's.</summary>
    private static string Origin(Scalar key, string where) => RunSettingList.Find(key.Value) is not null ? $"{where}: {key.Value}"
        : throw new UsageException($"{where}: unknown key '{key.Value}'{Suggestion.For(key.Value, RunSettingList.All.Select(s => s.Key))}.");

    /// <summary>Lines of the form "key: [value, value]".</summary>
    private static void ParseGrid(Parser parser, string name, List<GridAxis> grid)
    {
        if (!parser.TryConsume<MappingStart>(out _)) throw new UsageException($"{name} line {parser.Current!.Start.Line}: {GridKey} needs lines of the form 'key: [value, value]', further in than itself.");
        while (!parser.TryConsume<MappingEnd>(out _))
        {
            (string where, Scalar key) = Key(parser, name);
            string origin = Origin(key, where);
            if (grid.Exists(a => a.Key == key.Value)) throw new UsageException($"{origin} is there twice.");
            List<string> values = [];
            if (parser.Accept<MappingStart>(out _)) throw new UsageException($"{origin} needs a list of values.");
            if (!parser.TryConsume<SequenceStart>(out _)) values.Add(Value(parser, origin));
            else
                while (!parser.TryConsume<SequenceEnd>(out _)) values.Add(Value(parser, origin));
            grid.Add(new GridAxis(key.Value, origin, values));
        }
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
    public static SettingsLayer Load(string path) => Load(path, null);

    /// <summary>Reads the file of a sweep: a recipe with a mapping of the key <see cref="GridKey"/>.</summary>
    /// <exception cref="UsageException">It does not exist, or is none.</exception>
    public static (SettingsLayer Common, IReadOnlyList<GridAxis> Grid) LoadGrid(string path)
    {
        var grid = new List<GridAxis>();
        SettingsLayer common = Load(path, grid);
        return grid.Count > 0 ? (common, grid) : throw new UsageException($"{path} is not a sweep: it has no '{GridKey}:' with lines of the form 'key: [value, value]' under it.");
    }

    private static SettingsLayer Load(string path, List<GridAxis>? grid)
    {
        if (Directory.Exists(path)) throw new UsageException($"the recipe {path} is a folder; a file was expected.");
        try
        {
            using var reader = new StreamReader(path);
            var text = new char[Longest + 1];
            int length = reader.ReadBlock(text);
            return length <= Longest ? Parse(new string(text, 0, length), path, grid)
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
    public static string Format(RunSettings settings, string comment) => Format(comment, RunSettingList.ForMethod(settings.Recipe.Method).Select(s => (s.Key, s.Get(settings))));

    /// <summary>What a layer says, as a file that gives it back exactly.</summary>
    public static string Format(SettingsLayer layer, string comment) => Format(comment, layer.Under(SettingsLayer.Empty).Select(s => (s.Key, (string?)s.Value)));

    private static string Format(string comment, IEnumerable<(string Key, string? Value)> settings)
    {
        var text = new StringBuilder();
        text.Append("# ").Append(comment).Append('\n');
        foreach ((string key, string? given) in settings)
            if (given is { } value) text.Append(key).Append(": ").Append(Quoted(value)).Append('\n');
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
