using System.Text;
using Asni.Formats;

namespace Asni.Data.Images;

/// <summary>Image formats that are read.</summary>
internal enum ImageFormat { Jpeg, Png, Bmp, WebP }

/// <summary>Tells files apart by their first bytes, whatever their names say.</summary>
internal static class ImageSignature
{
    /// <summary>An image format that is not read, the place of its mark in a file, and the mark, a character a byte.</summary>
    private static readonly (string Name, int At, string Mark)[] s_others =
    [
        ("a Photoshop image", 0, "8BPS"), ("a TIFF image", 0, "II*\0"), ("a TIFF image", 0, "MM\0*"), ("a BigTIFF image", 0, "II+\0"),
        ("a Radiance HDR image", 0, "#?"), ("an icon", 0, "\0\0\u0001\0"), ("an AVIF image", 4, "ftypavif"), ("a HEIF image", 4, "ftyphei"), ("a HEIF image", 4, "ftypmif1"),
        ("a video", 4, "ftyp"), ("a JPEG 2000 image", 4, "jP  "), ("a JPEG XL image", 4, "JXL "), ("a JPEG XL image", 0, "ÿ\n"), ("an OpenEXR image", 0, "v/1\u0001"),
        ("a DirectDraw texture", 0, "DDS "),
    ];

    /// <exception cref="InvalidDataException">None that is read; the message says what it is where that is known.</exception>
    public static ImageFormat Detect(ReadOnlySpan<byte> file)
    {
        if (file.StartsWith((ReadOnlySpan<byte>)[0xFF, 0xD8, 0xFF])) return ImageFormat.Jpeg;
        if (file.StartsWith(PngChunks.Signature)) return ImageFormat.Png;
        if (file.StartsWith("BM"u8)) return ImageFormat.Bmp;
        if (file.StartsWith("RIFF"u8) && Has(file, 8, "WEBP")) return ImageFormat.WebP;
        if (file.IsEmpty) throw new InvalidDataException("it is empty");
        throw new InvalidDataException(NameOf(file) is { } name ? $"it is {name}" : "it does not begin as one of these does");
    }

    private static string? NameOf(ReadOnlySpan<byte> file)
    {
        foreach ((string name, int at, string mark) in s_others)
            if (Has(file, at, mark)) return name;
        if (IsNetpbm(file)) return "a PBM, PGM or PPM image";
        if (IsMarkup(file) && file[..Math.Min(file.Length, 1000)].IndexOf("<svg"u8) >= 0) return "an SVG drawing";
        if (IsTarga(file)) return "a Targa image";
        // Its beginning is not all that a PNG or JPEG image's is, or it would have been taken for one.
        return ForeignFile.Describe(file) switch { "a PNG image" or "a JPEG image" => "damaged in its first bytes", var other => other };
    }

    private static bool Has(ReadOnlySpan<byte> file, int at, string mark) =>
        file.Length >= at + mark.Length && Encoding.Latin1.GetString(file.Slice(at, mark.Length)) == mark;

    private static bool IsNetpbm(ReadOnlySpan<byte> file) => file.Length > 2 && file[0] == 'P' && file[1] is >= (byte)'1' and <= (byte)'7' && file[2] is (byte)'\n' or (byte)' ' or (byte)'\r' or (byte)'\t';

    private static bool IsMarkup(ReadOnlySpan<byte> file) => file.TrimStart((ReadOnlySpan<byte>)[0xEF, 0xBB, 0xBF, (byte)' ', (byte)'\t', (byte)'\r', (byte)'\n']).StartsWith("<"u8);

    /// <summary>Targa has no mark: a map's flag, a type of image, the map's entries, and a depth that fit each other; or, in later versions, a mark at the end.</summary>
    private static bool IsTarga(ReadOnlySpan<byte> file)
    {
        if (file.Length < 18) return false;
        if (file.EndsWith("TRUEVISION-XFILE.\0"u8)) return true;
        byte map = file[1], type = file[2], depth = file[16];
        return map == (type is 1 or 9 ? 1 : 0) && type is 1 or 2 or 3 or 9 or 10 or 11 && depth is 8 or 15 or 16 or 24 or 32;
    }
}
