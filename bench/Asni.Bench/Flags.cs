using System.Globalization;

namespace Asni.Bench;

/// <summary>Flags of a program of the suite, each with a value; the values are taken out one by one.</summary>
internal sealed class Flags
{
    private readonly string _program;
    private readonly Dictionary<string, string> _given = [];

    /// <exception cref="UsageException">An argument is no flag of <paramref name="known"/>, or has no value.</exception>
    public Flags(string program, string[] args, params string[] known)
    {
        _program = program;
        for (int i = 0; i < args.Length; i += 2)
        {
            if (!known.Contains(args[i])) throw new UsageException($"{program} does not know '{args[i]}'; it knows {string.Join(", ", known)}.");
            if (i + 1 == args.Length || args[i + 1].StartsWith("--", StringComparison.Ordinal)) throw new UsageException($"{args[i]} needs a value.");
            _given[args[i]] = args[i + 1];
        }
    }

    /// <exception cref="UsageException">It is not a whole number from 1.</exception>
    public int Count(string flag, int otherwise) => Counts(flag, otherwise) is [int one] ? one : throw Wrong(flag, "one whole number from 1");

    public string? Text(string flag) => _given.GetValueOrDefault(flag);

    /// <exception cref="UsageException">It is missing.</exception>
    public string Required(string flag) => Text(flag) ?? throw new UsageException($"{_program} needs {flag}.");

    public string[] List(string flag, params string[] otherwise) => Text(flag)?.Split(',') ?? otherwise;

    /// <exception cref="UsageException">One is not a whole number from 1.</exception>
    public int[] Counts(string flag, params int[] otherwise) => Text(flag) is null ? otherwise : [.. List(flag).Select(text =>
        int.TryParse(text, NumberStyles.None, CultureInfo.InvariantCulture, out int n) && n > 0 ? n : throw Wrong(flag, "whole numbers from 1 with commas between them"))];

    /// <exception cref="UsageException">It is not a number above 0, or above <paramref name="most"/>.</exception>
    public double Number(string flag, double otherwise, double most = double.MaxValue) => Text(flag) is not { } text ? otherwise
        : double.TryParse(text, NumberStyles.Float, CultureInfo.InvariantCulture, out double value) && value > 0 && value <= most ? value
        : throw Wrong(flag, most < double.MaxValue ? string.Create(CultureInfo.InvariantCulture, $"a number above 0, at most {most}") : "a number above 0");

    private UsageException Wrong(string flag, string kind) => new($"{_program}: {flag} '{_given[flag]}' is not {kind}.");
}
