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
        string path = System.IO.Path.TrimEndingDirectorySeparator(System.IO.Path.GetFullPath(directory)), aside = path + ".part";
        if (File.Exists(path) || (Directory.Exists(path) && Directory.EnumerateFileSystemEntries(path).Any()))
            throw new UsageException($"{directory} {(File.Exists(path) ? "is a file" : "exists and is not empty")}; give another folder for the sweep.");
        try
        {
            if (Directory.Exists(aside)) Directory.Delete(aside, recursive: true);
            Directory.CreateDirectory(System.IO.Path.Combine(aside, Recipes));
            Directory.CreateDirectory(System.IO.Path.Combine(aside, Runs));
            foreach (SweepMember member in sweep.Members)
                File.WriteAllText(System.IO.Path.Combine(aside, Recipes, member.Name + RecipeExtension), RecipeYaml.Format(member.Settings, $"run {member.Index} of a sweep"));
            File.Copy(file, System.IO.Path.Combine(aside, SweepFile));
            if (script?.Invoke(sweep.Members.Count, path) is { } start) WriteScript(System.IO.Path.Combine(aside, start.Name), start.Text);
            if (Directory.Exists(path)) Directory.Delete(path);
            Directory.Move(aside, path);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            throw new AsniException($"cannot make the sweep {directory}: {e.Message.TrimEnd('.')}.", e);
        }
        return new SweepFolder(path, [.. sweep.Members.Select(m => m.Name)]);
    }

    /// <exception cref="UsageException">There is no sweep.</exception>
    public static SweepFolder Open(string directory)
    {
        RunFolder.RequireFolder(directory);
        string path = System.IO.Path.GetFullPath(directory), recipes = System.IO.Path.Combine(path, Recipes);
        if (!File.Exists(System.IO.Path.Combine(path, SweepFile)) || !Directory.Exists(recipes))
            throw new UsageException($"{directory} is not the folder of a sweep: it has no {SweepFile} and {Recipes}; asni sweep FILE --out DIR makes one.");
        string[] names = [.. Directory.GetFiles(recipes, "*" + RecipeExtension).Select(f => System.IO.Path.GetFileNameWithoutExtension(f)).Order(StringComparer.Ordinal)];
        for (int i = 0; i < names.Length; i++)
            if (!int.TryParse(names[i].Split('-')[0], NumberStyles.None, CultureInfo.InvariantCulture, out int index) || index != i)
                throw new UsageException($"{recipes} has no recipe {i}, or one that is not the sweep's: {names[i]}{RecipeExtension}.");
        return new SweepFolder(path, names);
    }

    public string NameOf(int index) => _names[index];

    public string RecipeOf(int index) => System.IO.Path.Combine(Path, Recipes, _names[index] + RecipeExtension);

    public string RunOf(int index) => System.IO.Path.Combine(Path, Runs, _names[index]);

    public MemberState StateOf(int index) => RunFolder.IsComplete(RunOf(index)) ? MemberState.Complete
        : File.Exists(System.IO.Path.Combine(RunOf(index), RunFolder.Recipe)) ? MemberState.Begun : MemberState.Waiting;

    private static void WriteScript(string path, string text)
    {
        File.WriteAllText(path, text);
        if (!OperatingSystem.IsWindows()) File.SetUnixFileMode(path, File.GetUnixFileMode(path) | UnixFileMode.UserExecute);
    }
}
