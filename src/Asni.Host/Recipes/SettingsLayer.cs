using Asni.Methods;
using Asni.Settings;

namespace Asni.Host.Recipes;

/// <summary>Settings from one place: a recipe file, the flags. A later layer overrides an earlier one key by key.</summary>
internal sealed class SettingsLayer(IReadOnlyDictionary<string, SettingValue> values)
{
    private readonly IReadOnlyDictionary<string, SettingValue> _values = values;

    public static SettingsLayer Empty { get; } = new(new Dictionary<string, SettingValue>());

    public bool Has(string key) => _values.ContainsKey(key);
    public SettingValue? this[string key] => _values.GetValueOrDefault(key);

    /// <summary>This layer with another's values over its own.</summary>
    public SettingsLayer With(SettingsLayer over) => new(RunSettingList.All.Select(s => (s.Key, Value: over[s.Key] ?? this[s.Key])).Where(s => s.Value is not null).ToDictionary(s => s.Key, s => s.Value!));

    public SettingsLayer Without(string key) => new(_values.Where(v => v.Key != key).ToDictionary());

    /// <summary>What this layer and one over it say, in their words.</summary>
    public IReadOnlyDictionary<string, string> Under(SettingsLayer over) =>
        With(over)._values.ToDictionary(v => v.Key, v => v.Value.Text);

    /// <summary>Refuses what this layer says and the finished settings ignore.</summary>
    /// <exception cref="UsageException">Names the first such setting, and what it needs.</exception>
    public void RequireEffect(RunSettings settings)
    {
        Method method = settings.Recipe.Method;
        foreach (Setting<RunSettings> setting in RunSettingList.All)
            if (this[setting.Key] is { } value && GetIdleReason(setting.Key, settings) is { } why)
                throw new UsageException($"{value.Origin} has no effect: {why} (the method of this run is {method.Name}).");
    }

    /// <summary>Why a setting changes nothing in a run with these settings; null when it has an effect.</summary>
    public static string? GetIdleReason(string key, RunSettings settings)
    {
        Method method = settings.Recipe.Method;
        if (RunSettingList.ForMethod(method).FirstOrDefault(s => s.Key == key) is not { } setting)
            return $"it needs --method {Alternatives([.. RunSettingList.Readers(key).Select(m => m.Name)])}";
        if (setting.Needs.FirstOrDefault(n => !n.Holds(settings)) is { } need) return $"it needs --{need.Key} {need.Value}";
        return method.Ignores(key, settings.Recipe, settings.Init is not null);
    }

    /// <summary>"a", "a or b", "a, b or c".</summary>
    private static string Alternatives(string[] names) => names.Length == 1 ? names[0] : $"{string.Join(", ", names[..^1])} or {names[^1]}";

    /// <summary>The settings of all layers, each over those before it, for the method that the last one names.</summary>
    public static RunSettings Apply(params IEnumerable<SettingsLayer> layers)
    {
        SettingsLayer[] all = [.. layers];
        // A name that is none is told when its layer is applied.
        Method method = all.Select(l => l["method"]).LastOrDefault(m => m is not null) is { } named && Method.Find(named.Text) is { } found ? found : new Recipe().Method;
        var settings = new RunSettings { Recipe = new Recipe { Method = method } };
        for (int i = 0; i < all.Length; i++) settings = all[i].Over(settings, RunSettingList.ForMethod(method), first: i == 0);
        return settings;
    }

    /// <summary>The settings with this layer's values on top.</summary>
    private RunSettings Over(RunSettings settings, IReadOnlyList<Setting<RunSettings>> known, bool first)
    {
        // What a lower layer said about a detail yields to what this one says about the whole.
        foreach (Setting<RunSettings> setting in known)
            if (setting.YieldsTo is { } other && Has(other.Key)) settings = other.Clear(settings);
        foreach (Setting<RunSettings> setting in known)
        {
            if (this[setting.Key] is not { } value) continue;
            int epochs = settings.Recipe.Epochs;
            settings = ApplyOne(setting, value, settings);
            if (setting.Key == "epochs" && !first) settings = KeepProportions(settings, known, epochs);
        }
        RequireOneOf(known, settings);
        RequireReadable(known);
        return settings;
    }

    /// <summary>A setting and the one that it yields to exclude each other in one layer, where the second has nothing to say beside the first.</summary>
    private void RequireOneOf(IReadOnlyList<Setting<RunSettings>> known, RunSettings settings)
    {
        foreach (Setting<RunSettings> setting in known)
        {
            if (setting.YieldsTo is not { } other || this[setting.Key] is not { } value || this[other.Key] is not { } second) continue;
            if (known.First(s => s.Key == other.Key).Get(settings) is null) throw new UsageException($"{value.Origin} and {second.Origin} exclude each other.");
        }
    }

    /// <summary>Values of settings that only other methods have do nothing, but make sense.</summary>
    private void RequireReadable(IReadOnlyList<Setting<RunSettings>> known)
    {
        foreach (Setting<RunSettings> other in RunSettingList.All.Where(s => known.All(k => k.Key != s.Key)))
            if (this[other.Key] is { } value) ApplyOne(other, value, new RunSettings { Recipe = new Recipe { Method = RunSettingList.Readers(other.Key).First() } });
    }

    private static RunSettings ApplyOne(Setting<RunSettings> setting, SettingValue value, RunSettings settings)
    {
        try
        {
            return setting.Set(settings, value.Text);
        }
        catch (FormatException e)
        {
            throw new UsageException($"{value.Origin} '{value.Text}' is not {e.Message}.");
        }
    }

    /// <summary>
    /// A recipe's lengths in epochs are meant for its number of epochs: another number stretches them. This layer's own follow and win.
    /// </summary>
    private static RunSettings KeepProportions(RunSettings settings, IReadOnlyList<Setting<RunSettings>> known, int before)
    {
        int now = settings.Recipe.Epochs;
        if (before < 1 || now < 1 || before == now) return settings;
        return known.Aggregate(settings, (s, setting) => setting.Stretch?.Invoke(s, (double)now / before) ?? s);
    }
}
