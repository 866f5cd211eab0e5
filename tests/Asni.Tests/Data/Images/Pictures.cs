using System.Reflection;
using Asni.Data.Images;

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

    /// <summary>8-bit pixels (row, column, channel): red, green, blue and alpha.</summary>
    public static byte[] Pixels(string name)
    {
        using DecodedImage image = ImageDecoder.Decode(File(name));
        return image.Rgba.ToArray();
    }

    /// <summary>Red, green and blue as (channel, row, column).</summary>
    public static byte[] Planes(string name)
    {
        byte[] pixels = Pixels(name), planes = new byte[pixels.Length / 4 * 3];
        for (int i = 0; i < planes.Length; i++) planes[i] = pixels[i % (pixels.Length / 4) * 4 + i / (pixels.Length / 4)];
        return planes;
    }
}
