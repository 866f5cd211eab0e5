using System.Collections.Immutable;

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
