using System.Globalization;

namespace Asni.Settings;

/// <summary>Conversions of the texts of settings; the message of a <see cref="FormatException"/> completes "'text' is not ...".</summary>
internal static class SettingText
{
    public static double Number(string text) =>
        double.TryParse(text, NumberStyles.Float, CultureInfo.InvariantCulture, out double value) && double.IsFinite(value)
            ? value : throw new FormatException("a number");

    public static int Integer(string text) =>
        int.TryParse(text, NumberStyles.AllowLeadingSign, CultureInfo.InvariantCulture, out int value)
            ? value : throw new FormatException(DescribeInteger(text));

    /// <summary>What a text is not that <see cref="Integer"/> does not read.</summary>
    public static string DescribeInteger(string text)
    {
        string digits = text is ['+' or '-', ..] ? text[1..] : text;
        return digits.Length > 0 && digits.All(char.IsAsciiDigit) ? $"a whole number from {int.MinValue} to {int.MaxValue}" : "a whole number";
    }

    /// <summary>In full, so that a saved recipe means the same file from any folder.</summary>
    public static string FilePath(string text) =>
        text.Length > 0 && !text.Contains('\0') ? Path.GetFullPath(text) : throw new FormatException("the name of a file");

    public static IEnumerable<int> Integers(string text)
    {
        try
        {
            return [.. List(text).Select(Integer)];
        }
        catch (FormatException)
        {
            throw new FormatException("a list of whole numbers with commas between them, such as 80,120");
        }
    }

    public static ulong Seed(string text) =>
        ulong.TryParse(text, NumberStyles.None, CultureInfo.InvariantCulture, out ulong value)
            ? value : throw new FormatException($"a whole number from 0 to {ulong.MaxValue}");

    public static bool Switch(string text) => text switch
    {
        "true" or "yes" or "on" => true,
        "false" or "no" or "off" => false,
        _ => throw new FormatException("true or false"),
    };

    public static Tensors.Chw Chw(string text)
    {
        string[] parts = text.Split('x');
        if (parts.Length != 3) throw new FormatException("CxHxW, such as 3x32x32");
        var dims = new int[3];
        for (int i = 0; i < 3; i++)
            if (!int.TryParse(parts[i], NumberStyles.None, CultureInfo.InvariantCulture, out dims[i]) || dims[i] < 1)
                throw new FormatException("CxHxW, such as 3x32x32");
        return new Tensors.Chw(dims[0], dims[1], dims[2]);
    }

    public static IEnumerable<string> List(string text) => text.Split(',', StringSplitOptions.RemoveEmptyEntries | StringSplitOptions.TrimEntries);

    /// <summary>An enumeration's member by its name in lower case.</summary>
    public static T Choice<T>(string text) where T : struct, Enum
    {
        foreach (T value in Enum.GetValues<T>())
            if (Name(value) == text) return value;
        throw new FormatException(Choices<T>());
    }

    // GetEnumNames, because Enum.GetNames<T> is compiled anew for each enumeration, and the command line makes the choices of some thirty whenever it starts.
    public static string Choices<T>() where T : struct, Enum => "one of " + string.Join(", ", typeof(T).GetEnumNames()).ToLowerInvariant();

    public static string Name<T>(T value) where T : struct, Enum => value.ToString().ToLowerInvariant();
    public static string Text(double value) => value.ToString(CultureInfo.InvariantCulture);
    public static string Text(long value) => value.ToString(CultureInfo.InvariantCulture);
    public static string Text(bool value) => value ? "true" : "false";
    public static string Text(Tensors.Chw c) => string.Create(CultureInfo.InvariantCulture, $"{c.Channels}x{c.Height}x{c.Width}");
}
