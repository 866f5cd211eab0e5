using System.Collections.Immutable;
using static Asni.Settings.SettingText;

namespace Asni.Settings;

/// <summary>
/// One value that people set in a <typeparamref name="T"/>: a key of recipe files and a flag of the command line alike. <paramref name="Get"/>
/// gives null where there is nothing to save.
/// </summary>
/// <param name="Set">Puts a value in; a <see cref="FormatException"/> says what was expected.</param>
internal sealed record Setting<T>(string Key, string Summary, Func<T, string, T> Set, Func<T, string?> Get)
{
    /// <summary>What values it takes, in words that complete "is not ...".</summary>
    public string Values { get; init; } = "";

    /// <summary>A flag without a value.</summary>
    public bool IsSwitch { get; init; }

    /// <summary>What the switch "no-KEY" says for help; null where there is none.</summary>
    public string? OffSummary { get; init; }

    /// <summary>Of a length in epochs: makes it so many times as long.</summary>
    public Func<T, double, T>? Stretch { get; init; }

    /// <summary>The setting that takes this one's place where it is given later, and what that does.</summary>
    public (string Key, Func<T, T> Clear)? YieldsTo { get; init; }

    /// <summary>Other settings without which this one changes nothing.</summary>
    public ImmutableArray<Need<T>> Needs { get; init; } = [];

    /// <summary>The same setting where it is that of a part of <typeparamref name="TWhole"/>.</summary>
    public Setting<TWhole> In<TWhole>(Func<TWhole, T> get, Func<TWhole, T, TWhole> set) => new(Key, Summary, (w, text) => set(w, Set(get(w), text)), w => Get(get(w)))
    {
        Values = Values,
        IsSwitch = IsSwitch,
        OffSummary = OffSummary,
        Stretch = Stretch is { } stretch ? (w, factor) => set(w, stretch(get(w), factor)) : null,
        YieldsTo = YieldsTo is { } other ? (other.Key, w => set(w, other.Clear(get(w)))) : null,
        Needs = [.. Needs.Select(n => new Need<TWhole>(n.Key, n.Value, w => n.Holds(get(w))))],
    };

    /// <summary>A value that was not given as text, held to the same bounds.</summary>
    /// <exception cref="UsageException">It is out of them.</exception>
    public void Check(T value)
    {
        if (Get(value) is not { } text) return;
        try
        {
            Set(value, text);
        }
        catch (FormatException e)
        {
            throw new UsageException($"{Key} '{text}' is not {e.Message}.");
        }
    }
}

/// <summary>Another setting that a setting needs, and which value of it, in words.</summary>
internal sealed record Need<T>(string Key, string Value, Func<T, bool> Holds);

/// <summary>Settings by what values they take.</summary>
internal static class Setting
{
    public static Setting<T> Number<T>(string key, string summary, Func<T, double?> get, Func<T, double, T> set, Interval? range = null) =>
        Bounded(key, summary, range, whole: false, SettingText.Number, n => n, get, set, n => Text(n));

    public static Setting<T> Integer<T>(string key, string summary, Func<T, int?> get, Func<T, int, T> set, Interval? range = null) =>
        Bounded(key, summary, range, whole: true, SettingText.Integer, n => n, get, set, n => Text(n));

    public static Setting<T> Switch<T>(string key, string summary, Func<T, bool> get, Func<T, bool, T> set) =>
        new(key, summary, (o, text) => set(o, SettingText.Switch(text)), o => Text(get(o))) { IsSwitch = true, Values = "true or false" };

    /// <summary>A member of an enumeration by its name in lower case.</summary>
    public static Setting<T> Choice<T, TValue>(string key, string summary, Func<T, TValue?> get, Func<T, TValue, T> set) where TValue : struct, Enum =>
        new(key, summary, (o, text) => set(o, SettingText.Choice<TValue>(text)), o => get(o) is { } value ? Name(value) : null) { Values = Choices<TValue>() };

    /// <summary>The settings of a part as those of the whole.</summary>
    public static ImmutableArray<Setting<TWhole>> In<TWhole, T>(this IEnumerable<Setting<T>> settings, Func<TWhole, T> get, Func<TWhole, T, TWhole> set) =>
        [.. settings.Select(s => s.In(get, set))];

    /// <summary>The settings of one kind as those of all of its base.</summary>
    public static ImmutableArray<Setting<TBase>> As<TBase, T>(this IEnumerable<Setting<T>> settings) where T : TBase =>
        settings.In<TBase, T>(o => (T)o!, (_, o) => o);

    private static Setting<T> Bounded<T, TValue>(string key, string summary, Interval? range, bool whole, Func<string, TValue> parse, Func<TValue, double> value,
        Func<T, TValue?> get, Func<T, TValue, T> set, Func<TValue, string> print) where TValue : struct
    {
        Interval within = range ?? Interval.All;
        string words = within.Words(whole);
        return new Setting<T>(key, summary, Put, o => get(o) is { } v ? print(v) : null) { Values = words };

        T Put(T o, string text)
        {
            try
            {
                TValue parsed = parse(text);
                if (within.Contains(value(parsed))) return set(o, parsed);
            }
            catch (FormatException)
            {
                // Said with its bounds.
            }
            throw new FormatException(words);
        }
    }
}
