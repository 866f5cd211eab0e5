using System.Globalization;
using Asni.Host.Recipes;
using Asni.Runs;

namespace Asni.Host.Sweeps;

/// <summary>How far a run of a sweep is.</summary>
internal enum MemberState { Waiting, Begun, Complete }

/// <summary>
/// The folder of a sweep: its file, a recipe for each run in recipes/, the runs' folders in runs/ under the same names, and a script that starts them. A run is whatever its recipe says;
/// many processes may work in the folder, each on runs of its own.
/// </summary>
internal sealed class SweepFolder
{
    private const string SweepFile = "sweep.yaml", Recipes = "recipes", Runs = "runs", RecipeExtension = ".yaml";

    private readonly string[] _names;

    private SweepFolder(string path, string[] names) => (Path, _names) = (path, names);

    /// <summary>Absolute.</summary>
    public string Path { get; }

    public int Count => _names.Length;

    /// <summary>Writes all of a sweep's files, or none.</summary>
    /// <param name="file">The sweep's.</param>
    /// <param name="script">Name and text of the script that starts the runs, of their number and the folder's path.</param>
    /// <exception cref="AsniException">The folder is not empty, or cannot be made.</exception>
    public static SweepFolder Create(string directory, string file, Sweep sweep, Func<int, string, (string Name, string Text)>? script)
    {
        string path = System.IO.Path.TrimEndingDirectorySeparator(System.IO.Path.GetFullPath(directory));
        bool isThere = Directory.Exists(path);
        if (File.Exists(path) || (isThere && Directory.EnumerateFileSystemEntries(path).Any()))
            throw new UsageException($"{directory} {(isThere ? "exists and is not empty" : "is a file")}; give another folder for the sweep.");
        try
        {
            Write(path, file, sweep, script?.Invoke(sweep.Members.Count, path));
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            if (Directory.Exists(path)) Empty(path, removed: !isThere);
            throw new AsniException($"cannot make the sweep {directory}: {e.Message.TrimEnd('.')}.", e);
        }
        return new SweepFolder(path, [.. sweep.Members.Select(m => m.Name)]);
    }

    /// <summary>The sweep's own file last: without it a folder is none.</summary>
    private static void Write(string path, string file, Sweep sweep, (string Name, string Text)? script)
    {
        Directory.CreateDirectory(System.IO.Path.Combine(path, Recipes));
        Directory.CreateDirectory(System.IO.Path.Combine(path, Runs));
        foreach (SweepMember member in sweep.Members)
            File.WriteAllText(System.IO.Path.Combine(path, Recipes, member.Name + RecipeExtension), RecipeYaml.Format(member.Settings, $"run {member.Index} of a sweep"));
        if (script is { } start) WriteScript(System.IO.Path.Combine(path, start.Name), start.Text);
        File.Copy(file, System.IO.Path.Combine(path, SweepFile));
    }

    /// <summary>Takes away what was written, as far as that goes.</summary>
    private static void Empty(string path, bool removed)
    {
        try
        {
            foreach (string folder in Directory.EnumerateDirectories(path)) Directory.Delete(folder, recursive: true);
            foreach (string file in Directory.EnumerateFiles(path)) File.Delete(file);
            if (removed) Directory.Delete(path);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            // What kept it from being written is told.
        }
    }

    /// <exception cref="UsageException">There is no sweep.</exception>
    public static SweepFolder Open(string directory)
    {
        if (!Directory.Exists(directory)) throw new UsageException($"the sweep {directory} {(File.Exists(directory) ? "is a file" : "does not exist")}.");
        string path = System.IO.Path.GetFullPath(directory), recipes = System.IO.Path.Combine(path, Recipes);
        if (!File.Exists(System.IO.Path.Combine(path, SweepFile)) || !Directory.Exists(recipes))
            throw new UsageException($"{directory} is not the folder of a sweep: it has no {SweepFile} and {Recipes}; asni sweep FILE --out DIR makes one.");
        string[] names;
        try
        {
            names = [.. Directory.GetFiles(recipes, "*" + RecipeExtension).Select(f => System.IO.Path.GetFileNameWithoutExtension(f)).Order(StringComparer.Ordinal)];
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            throw new AsniException($"cannot read {recipes}: {e.Message.TrimEnd('.')}.", e);
        }
        for (int i = 0; i < names.Length; i++)
            if (!int.TryParse(names[i].Split('-')[0], NumberStyles.None, CultureInfo.InvariantCulture, out int index) || index != i)
                throw new UsageException($"{recipes} has no recipe {i}, or one that is not the sweep's: {names[i]}{RecipeExtension}.");
        return new SweepFolder(path, names);
    }

    public string NameOf(int index) => _names[index];

    public string RecipeOf(int index) => System.IO.Path.Combine(Path, Recipes, _names[index] + RecipeExtension);

    public string RunOf(int index) => System.IO.Path.Combine(Path, Runs, _names[index]);

    /// <summary>One that was killed right at its end still has to put its checkpoints away.</summary>
    public MemberState StateOf(int index) => RunFolder.IsComplete(RunOf(index)) && !Directory.Exists(System.IO.Path.Combine(RunOf(index), RunFolder.CheckpointFolder)) ? MemberState.Complete
        : File.Exists(System.IO.Path.Combine(RunOf(index), RunFolder.Recipe)) ? MemberState.Begun : MemberState.Waiting;

    private static void WriteScript(string path, string text)
    {
        File.WriteAllText(path, text);
        if (!OperatingSystem.IsWindows()) File.SetUnixFileMode(path, File.GetUnixFileMode(path) | UnixFileMode.UserExecute);
    }
}
