using System.Globalization;
using Asni.Settings;

namespace Asni.Pruning;

/// <summary>So many batches of so many images: 5x256.</summary>
public readonly record struct ImageBatches(int Count, int Size)
{
    internal const string Words = "batches x images, such as 5x256";

    /// <exception cref="FormatException">Says what was expected.</exception>
    internal static ImageBatches Parse(string text)
    {
        int[] parts = [.. text.Split('x').Select(SettingText.Integer)];
        return parts is [>= 1, >= 1] && (long)parts[0] * parts[1] <= int.MaxValue ? new ImageBatches(parts[0], parts[1]) : throw new FormatException(Words);
    }

    /// <inheritdoc/>
    public override string ToString() => string.Create(CultureInfo.InvariantCulture, $"{Count}x{Size}");
}
