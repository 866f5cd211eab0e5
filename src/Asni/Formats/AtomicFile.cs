namespace Asni.Formats;

/// <summary>Writes a file aside, flushes it to the disk, and only then gives it its name: nothing half-written is ever seen under that name.</summary>
internal static class AtomicFile
{
    /// <summary>What the name of a file ends in while it is written.</summary>
    public const string Aside = ".part";

    /// <param name="path">The final name; an existing file is replaced as the last step.</param>
    /// <param name="write">Writes the content.</param>
    /// <exception cref="AsniException">The disk is full, the folder cannot be written, ...; nothing is left behind.</exception>
    public static void Write(string path, Action<Stream> write)
    {
        string aside = path + Aside;
        try
        {
            using (FileStream stream = CreateNew(aside, FileShare.None, bufferSize: 1 << 16))
            {
                write(stream);
                stream.Flush(flushToDisk: true);
            }
            File.Move(aside, path, overwrite: true);
        }
        catch (Exception e)
        {
            TryDelete(aside);
            if (e is IOException or UnauthorizedAccessException)
                throw Directory.Exists(path) ? new AsniException($"cannot write {path}: a folder has this name; choose another name.", e) : Failure(path, e);
            throw;
        }
    }

    /// <summary>Text in UTF-8 without a byte-order mark.</summary>
    public static void WriteText(string path, string content) => Write(path, stream => stream.Write(System.Text.Encoding.UTF8.GetBytes(content)));

    /// <summary>A new file of this name, whatever was there before: a link that somebody left there is removed, never followed.</summary>
    /// <exception cref="IOException">It cannot be made; so for UnauthorizedAccessException.</exception>
    internal static FileStream CreateNew(string path, FileShare share, int bufferSize)
    {
        File.Delete(path);
        return new FileStream(path, FileMode.CreateNew, FileAccess.Write, share, bufferSize);
    }

    /// <summary>One sentence for a failed write of a file or in a folder.</summary>
    internal static AsniException Failure(string path, Exception e)
    {
        if (e is DirectoryNotFoundException) return new AsniException($"cannot write {path}: its folder does not exist; make the folder or choose another.", e);
        string reason = e is UnauthorizedAccessException ? "permission denied" : e.Message.Split(" : ")[0].TrimEnd('.');
        return new AsniException($"cannot write {path} ({reason}); make room or choose another folder.", e);
    }

    /// <summary>Clean-up: what cannot be removed stays.</summary>
    internal static void TryDelete(string path)
    {
        try
        {
            File.Delete(path);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            // How the run or the write itself ended is what the user needs to hear.
        }
    }
}
