namespace Asni.Formats;

/// <summary>Reads files whole, with one sentence for each way that can fail.</summary>
internal static class WholeFile
{
    /// <exception cref="AsniException">It does not exist, cannot be read, or is larger than an array.</exception>
    public static byte[] Read(string path)
    {
        try
        {
            using FileStream stream = Open(path);
            if (!stream.CanSeek) throw new AsniException($"{path} is no file on a disk; such a one cannot be read whole.");
            if (stream.Length > Array.MaxLength) throw new AsniException($"{path} is larger than 2 GiB; such a file cannot be read whole.");
            var bytes = new byte[stream.Length];
            stream.ReadExactly(bytes);
            return bytes;
        }
        catch (IOException e)
        {
            throw new AsniException($"cannot read {path}: {e.Message.TrimEnd('.')}.", e);
        }
    }

    /// <summary>The first bytes, fewer when the file has fewer.</summary>
    public static byte[] Start(string path, int length)
    {
        try
        {
            using FileStream stream = Open(path);
            var bytes = new byte[length];
            return bytes[..stream.ReadAtLeast(bytes, length, throwOnEndOfStream: false)];
        }
        catch (IOException e)
        {
            throw new AsniException($"cannot read {path}: {e.Message.TrimEnd('.')}.", e);
        }
    }

    /// <exception cref="AsniException">It does not exist, is a folder, or cannot be read.</exception>
    public static FileStream Open(string path)
    {
        if (Directory.Exists(path)) throw new AsniException($"{path} is a folder; a file was expected.");
        try
        {
            return new FileStream(path, FileMode.Open, FileAccess.Read, FileShare.Read);
        }
        catch (Exception e) when (e is FileNotFoundException or DirectoryNotFoundException)
        {
            throw new AsniException($"{path} does not exist.", e);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            throw new AsniException($"cannot read {path}: {e.Message.TrimEnd('.')}.", e);
        }
    }
}
