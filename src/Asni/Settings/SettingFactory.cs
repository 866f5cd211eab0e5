using System.Collections.Immutable;
using static Asni.Settings.SettingText;

namespace Asni.Settings;

/// <summary>Makes settings by what values they take, and those of a whole from those of its parts.</summary>
internal static class SettingFactory
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
            catch (FormatException) when (within != Interval.All)
            {
                // Said with its bounds.
            }
            throw new FormatException(words);
        }
    }
}
