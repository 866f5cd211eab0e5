using System.Reflection;
using StbImageSharp;

namespace Asni.Tests.Data.Images;

/// <summary>The files that make.py wrote.</summary>
internal static class Pictures
{
    public const int Width = 61, Height = 47;

    public static byte[] File(string name)
    {
        using Stream stream = Assembly.GetExecutingAssembly().GetManifestResourceStream("pictures/" + name)!;
        using var copy = new MemoryStream();
        stream.CopyTo(copy);
        return copy.ToArray();
    }

    /// <summary>8-bit pixels (row, column, channel).</summary>
    public static byte[] Pixels(string name) => ImageResult.FromMemory(File(name), ColorComponents.RedGreenBlue).Data;

    /// <summary>The same as (channel, row, column).</summary>
    public static byte[] Planes(string name)
    {
        byte[] pixels = Pixels(name), planes = new byte[pixels.Length];
        for (int i = 0; i < pixels.Length; i++) planes[i % 3 * (pixels.Length / 3) + i / 3] = pixels[i];
        return planes;
    }
}
