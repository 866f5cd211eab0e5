using System.Text;

namespace Asni.Formats;

/// <summary>Says what a file is that was given as a network, or as an image, and is none, by its first bytes.</summary>
internal static class ForeignFile
{
    /// <summary>What <see cref="Describe"/> looks at, at most.</summary>
    public const int StartBytes = 512;

    private const int TarMagicAt = 257;

    private const string Pointer = "a pointer of Git LFS and not the file itself ('git lfs pull' fetches that)", Unpack = " (unpack it first)";

    /// <summary>What begins with these bytes is this.</summary>
    private static readonly (byte[] Start, string What)[] s_starts =
    [
        ([0x1f, 0x8b], "a gzip archive" + Unpack),
        ("BZh"u8.ToArray(), "a bzip2 archive" + Unpack),
        ([0xfd, (byte)'7', (byte)'z', (byte)'X', (byte)'Z', 0], "an xz archive" + Unpack),
        ([0x28, 0xb5, 0x2f, 0xfd], "a Zstandard archive" + Unpack),
        ([(byte)'7', (byte)'z', 0xbc, 0xaf], "a 7z archive" + Unpack),
        ("Rar!"u8.ToArray(), "a RAR archive" + Unpack),
        ("PK\x03\x04"u8.ToArray(), "a zip archive" + Unpack),
        ("PK\x05\x06"u8.ToArray(), "an empty zip archive"),
        ([0x89, (byte)'H', (byte)'D', (byte)'F'], "an HDF5 file, as Keras writes them"),
        ([0x93, (byte)'N', (byte)'U', (byte)'M', (byte)'P', (byte)'Y'], "a NumPy array"),
        ("GGUF"u8.ToArray(), "a GGUF file"),
        ([0x89, (byte)'P', (byte)'N', (byte)'G'], "a PNG image"),
        ([0xff, 0xd8, 0xff], "a JPEG image"),
        ("GIF8"u8.ToArray(), "a GIF image"),
        ("%PDF"u8.ToArray(), "a PDF document"),
        ([0x7f, (byte)'E', (byte)'L', (byte)'F'], "a program"),
        ("version https://git-lfs.github.com/spec/"u8.ToArray(), Pointer),
        ("version https://hawser.github.com/spec/"u8.ToArray(), Pointer),
    ];

    /// <summary>With its article; null when it is nothing that is known.</summary>
    public static string? Describe(ReadOnlySpan<byte> start)
    {
        if (start.IsEmpty) return "empty";
        start = start[..Math.Min(start.Length, StartBytes)];
        foreach ((byte[] first, string what) in s_starts)
            if (start.StartsWith(first)) return what;
        if (start.Length > TarMagicAt + 5 && start.Slice(TarMagicAt, 5).SequenceEqual("ustar"u8))
            return "a tar archive (unpack it first; if PyTorch before 0.2 wrote it, load and save it there)";
        // ONNX begins with the field of its version, then the producer's name.
        if (start.Length > 3 && start[0] == 8 && start[1] < 32 && start[2] == 0x12) return "an ONNX model (asni writes them but does not read them)";
        if (start.Length > 1 && start[0] == 0x80 && start[1] is >= 2 and <= 5) return "a Python pickle that torch.save did not write (save model.state_dict() with torch.save)";
        string text = Encoding.UTF8.GetString(start).TrimStart('\uFEFF', ' ', '\t', '\r', '\n');
        bool Begins(string with) => text.StartsWith(with, StringComparison.OrdinalIgnoreCase);
        if (Begins("<!doctype html") || Begins("<html") || Begins("<head") || Begins("<body")) return "an HTML page (maybe what a server sent in place of the file)";
        if (!IsText(start)) return null;
        if (Begins("<")) return "an XML document";
        return Begins("{") || Begins("[") ? "a JSON text" : "a text";
    }

    /// <summary>Printable ASCII or UTF-8, and no other control characters than white space.</summary>
    private static bool IsText(ReadOnlySpan<byte> start)
    {
        foreach (byte b in start)
            if (b is < 0x20 and not ((byte)'\t' or (byte)'\n' or (byte)'\r' or (byte)'\f') or 0x7f) return false;
        // The last character may be cut.
        string text = Encoding.UTF8.GetString(start);
        int bad = text.IndexOf('\uFFFD', StringComparison.Ordinal);
        return bad < 0 || (start.Length == StartBytes && bad >= text.Length - 1);
    }
}
