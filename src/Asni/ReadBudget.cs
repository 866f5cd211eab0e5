namespace Asni;

/// <summary>
/// What reading one file may take beyond its own bytes, in proportion to them: a header of a few bytes that announces gigabytes is refused before memory is taken.
/// Readers take from it what they make of a file (pixels, values, objects) and what they go over again. docs/formats.md states the limits.
/// </summary>
/// <param name="fileBytes">The file's size.</param>
/// <param name="bad">Makes the error of a file that asks for more, from a clause.</param>
internal sealed class ReadBudget(long fileBytes, Func<string, Exception> bad)
{
    /// <summary>Bytes for any file, however small.</summary>
    public const long Free = 256L << 20;

    /// <summary>For each byte of larger files.</summary>
    public const int PerByte = 32;

    /// <summary>Bytes that are left.</summary>
    public long Left { get; private set; } = Math.Max(Free, fileBytes > long.MaxValue / PerByte ? long.MaxValue : fileBytes * PerByte);

    /// <summary>Takes bytes for a number of elements.</summary>
    /// <param name="what">For the message: what has these elements.</param>
    /// <exception cref="Exception">What the file's own error is: more than there is left.</exception>
    public void Take(UInt128 elements, int bytesEach, string what)
    {
        if (elements > (UInt128)(Left / bytesEach))
            throw bad(string.Create(System.Globalization.CultureInfo.InvariantCulture, $"{what} would take more memory than a file of {fileBytes:N0} bytes may ask for"));
        Left -= (long)elements * bytesEach;
    }
}
