using Asni.Formats;

namespace Asni.Runs;

/// <summary>
/// One process at a time works in the folder of a run: it holds <see cref="FileName"/> open, and the system lets go of that however the process ends.
/// The file goes when the run is complete.
/// </summary>
internal sealed class RunLock : IDisposable
{
    /// <summary>The file that is held open.</summary>
    public const string FileName = "run.lock";

    /// <summary>What the system says of a file that another process holds: EWOULDBLOCK on Linux, on macOS, ERROR_SHARING_VIOLATION.</summary>
    private static readonly int[] s_held = [11, 35, unchecked((int)0x80070020)];

    private readonly FileStream _file;

    private RunLock(string directory, FileStream file) => (Directory, _file) = (directory, file);

    /// <summary>The run's folder.</summary>
    public string Directory { get; }

    /// <summary>Takes the folder of a run that there is.</summary>
    /// <exception cref="UsageException">Another process works in it.</exception>
    /// <exception cref="AsniException">It cannot be written.</exception>
    internal static RunLock Take(string directory)
    {
        try
        {
            return Open(directory, FileMode.OpenOrCreate) ?? throw new UsageException($"another process works on the run in {directory}; wait for it, or stop it.");
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            throw AtomicFile.Failure(directory, e);
        }
    }

    /// <summary>Takes a folder for a new run; null when another run has taken it.</summary>
    /// <exception cref="IOException">It cannot be written; so for UnauthorizedAccessException.</exception>
    internal static RunLock? TryCreate(string directory) => Open(directory, FileMode.CreateNew);

    /// <summary>Lets go of the folder; the file stays, for a later process to take.</summary>
    public void Dispose() => _file.Dispose();

    /// <summary>Lets go of the folder and removes the file.</summary>
    internal void Remove()
    {
        Dispose();
        AtomicFile.TryDelete(Path.Combine(Directory, FileName));
    }

    private static RunLock? Open(string directory, FileMode mode)
    {
        string path = Path.Combine(directory, FileName);
        try
        {
            return new RunLock(directory, new FileStream(path, mode, FileAccess.Write, FileShare.None, bufferSize: 0));
        }
        catch (IOException e) when (s_held.Contains(e.HResult) || (mode == FileMode.CreateNew && Path.Exists(path)))
        {
            return null;
        }
    }
}
