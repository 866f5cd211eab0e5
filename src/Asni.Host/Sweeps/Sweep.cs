using System.Globalization;
using Asni.Host.Recipes;
using Asni.Settings;

namespace Asni.Host.Sweeps;

/// <summary>One run of a sweep.</summary>
/// <param name="Index">From 0.</param>
/// <param name="Name">Begins with the index, in as many digits for all, and says what distinguishes the run.</param>
internal sealed record SweepMember(int Index, string Name, SettingsLayer Settings);

/// <summary>Runs that differ in some settings: each combination of their values, those of the last setting changing first.</summary>
internal sealed class Sweep
{
    private const int MostMembers = 100_000, LongestName = 100, Digits = 4;

    private Sweep(IReadOnlyList<SweepMember> members) => Members = members;

    public IReadOnlyList<SweepMember> Members { get; }

    /// <exception cref="UsageException">A file is no sweep, or a run of it makes no sense.</exception>
    public static Sweep Load(string path)
    {
        (SettingsLayer common, IReadOnlyList<GridAxis> grid) = RecipeYaml.LoadGrid(path);
        SettingValue[][] axes = [.. grid.Select(Values)];
        foreach (GridAxis axis in grid)
            if (common[axis.Key] is { } value) throw new UsageException($"{value.Origin} and {axis.Origin} exclude each other.");
        long count = axes.Aggregate(1L, (n, axis) => n > MostMembers ? n : n * axis.Length);
        if (count > MostMembers) throw new UsageException($"{path} has more than {MostMembers:N0} runs.");
        int digits = Math.Max(Digits, (count - 1).ToString(CultureInfo.InvariantCulture).Length);
        var members = new SweepMember[count];
        for (int i = 0; i < count; i++)
        {
            SettingValue[] chosen = Choose(axes, i);
            var own = new SettingsLayer(grid.Zip(chosen).ToDictionary(c => c.First.Key, c => c.Second));
            SettingsLayer settings = common.With(own);
            try
            {
                RunPlanner.Check(settings, own);
                settings = Resolve(settings);
            }
            catch (UsageException e)
            {
                throw new UsageException($"run {i} of the sweep ({string.Join(", ", grid.Zip(chosen, (axis, value) => $"{axis.Key} {value.Text}"))}) makes no sense: {e.Message}", e);
            }
            members[i] = new SweepMember(i, NameOf(i, digits, grid, chosen), settings);
        }
        return new Sweep(members);
    }

    /// <summary>Names of files hold wherever a run is started; lists that files have are written out.</summary>
    private static SettingsLayer Resolve(SettingsLayer settings)
    {
        RunSettings meant = SettingsLayer.Apply(settings);
        var files = new Dictionary<string, SettingValue>();
        foreach (Setting<RunSettings> setting in RunSettingList.ForMethod(meant.Recipe.Method))
            if (settings[setting.Key] is { } value && File.Exists(value.Text) && setting.Get(meant) is { } text) files[setting.Key] = value with { Text = text };
        return settings.With(new SettingsLayer(files));
    }

    /// <summary>A setting's values; seeds may be given as a range, "1-5".</summary>
    private static SettingValue[] Values(GridAxis axis)
    {
        string[] values = [.. axis.Values.SelectMany(v => axis.Key == "seed" ? Seeds(axis, v) : [v])];
        if (values.Length == 0) throw new UsageException($"{axis.Origin} has no values.");
        if (values.GroupBy(v => v).FirstOrDefault(g => g.Count() > 1) is { } twice) throw new UsageException($"{axis.Origin} has {twice.Key} twice.");
        return [.. values.Select(v => new SettingValue(v, axis.Origin))];
    }

    private static IEnumerable<string> Seeds(GridAxis axis, string text)
    {
        string[] ends = text.Split('-');
        if (ends.Length != 2) return [text];
        if (!Number(ends[0], out int first) || !Number(ends[1], out int last) || last < first || last - first >= MostMembers)
            throw new UsageException($"{axis.Origin} '{text}' is not a range of seeds, as 1-5.");
        return Enumerable.Range(first, last - first + 1).Select(n => n.ToString(CultureInfo.InvariantCulture));

        static bool Number(string word, out int number) => int.TryParse(word, NumberStyles.None, CultureInfo.InvariantCulture, out number);
    }

    private static SettingValue[] Choose(SettingValue[][] axes, int index)
    {
        var chosen = new SettingValue[axes.Length];
        for (int a = axes.Length - 1; a >= 0; a--)
        {
            chosen[a] = axes[a][index % axes[a].Length];
            index /= axes[a].Length;
        }
        return chosen;
    }

    private static string NameOf(int index, int digits, IReadOnlyList<GridAxis> grid, SettingValue[] chosen)
    {
        // Names of methods, networks and data speak for themselves.
        IEnumerable<string> words = grid.Zip(chosen, (axis, value) => axis.Key is "method" or "net" or "data" ? value.Text : axis.Key + value.Text);
        string name = $"{index.ToString($"D{digits}", CultureInfo.InvariantCulture)}-{string.Join('-', words)}";
        return string.Concat(name.Take(LongestName).Select(c => char.IsAsciiLetterOrDigit(c) || c is '-' or '_' or '.' or ',' or '=' or '+' ? c : '_'));
    }
}
