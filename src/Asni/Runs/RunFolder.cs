using System.Text;
using System.Text.Json;
using Asni.Engine;
using Asni.Formats;
using Asni.Formats.Amenable;
using Asni.Formats.TensorBoard;
using Asni.Methods;
using Asni.Networks;
using Asni.Training;

namespace Asni.Runs;

/// <summary>
/// What a run leaves behind: metrics.jsonl grows by a row an epoch; summary.json, layers.csv and the networks are written whole after each
/// phase, so that the folder is usable whenever the run stops. Numbers are in invariant culture.
/// </summary>
internal sealed class RunFolder : IDisposable
{
    public const string Metrics = "metrics.jsonl";
    public const string Summary = "summary.json";
    public const string Recipe = "recipe.yaml";
    public const string LayerTable = "layers.csv";

    /// <summary>The run for people to look at.</summary>
    public const string Report = "report.html";

    /// <summary>Folder of TensorBoard's log.</summary>
    public const string EventFolder = "tensorboard";

    /// <summary>Folder of the checkpoints of a run that is not complete.</summary>
    public const string CheckpointFolder = "checkpoints";

    private const string Networks = ".safetensors";

    /// <summary>How the run was started, beside its checkpoints.</summary>
    public static readonly string StartFile = System.IO.Path.Combine(CheckpointFolder, "start.json");

    /// <summary>What ASNI-II started from, in little more room than its information.</summary>
    public const string AmenableFile = AsniII.InitialName + AsniFile.Extension;

    private readonly RunDescription _run;
    private readonly RunLock _lock;
    private readonly string? _createdTop;
    private readonly List<string> _made = [];
    private readonly List<PhaseResult> _phases = [];
    private readonly List<EpochRecord> _epochs = [];
    private FileStream? _metrics;
    private FileStream? _eventFile;
    private RunEvents? _events;
    private bool _hasResults;

    private RunFolder(RunLock held, string? createdTop, RunDescription run) => (_lock, Path, _createdTop, _run) = (held, held.Directory, createdTop, run);

    public string Path { get; }

    /// <summary>Makes <see cref="Report"/>, again after each phase; null: there is none.</summary>
    public Func<RunSoFar, string>? ReportWriter { get; set; }

    /// <summary>The epochs so far.</summary>
    public IReadOnlyList<EpochRecord> Epochs => _epochs;

    public static string NetworkFileName(string phase) => phase + Networks;

    /// <summary>The file of a phase's network; of what the run is for when none is named: its last phase that is no control.</summary>
    /// <exception cref="AsniException">There is no such folder or network, or several and no summary that says which came last.</exception>
    /// <exception cref="UsageException">There is no network of this phase.</exception>
    public static string NetworkPath(string directory, string? phase = null)
    {
        RequireFolder(directory);
        string[] there = NetworksIn(directory);
        if (there.Length == 0) throw new AsniException($"{directory} holds no network yet; it is no run folder, or its first phase did not end.");
        if (phase is not null && !there.Contains(phase)) throw new UsageException($"{directory} has no network of phase '{phase}'; it has {string.Join(", ", there)}.");
        bool summarized = File.Exists(System.IO.Path.Combine(directory, Summary));
        phase ??= there.Length == 1 ? there[0] : !summarized ? null
            : RunSummary.Read(directory).Phases.LastOrDefault(p => !Controls.IsControl(p.Phase) && there.Contains(p.Phase))?.Phase;
        return System.IO.Path.Combine(directory, NetworkFileName(phase ?? throw new AsniException($"{directory} has the networks {string.Join(", ", there)}, and "
            + (summarized ? $"its {Summary} names none of them as a phase's" : $"no {Summary} that says which of them came last") + "; name one.")));
    }

    /// <exception cref="UsageException">There is no such folder.</exception>
    internal static void RequireFolder(string directory)
    {
        if (!Directory.Exists(directory)) throw new UsageException($"the run folder {directory} {(File.Exists(directory) ? "is a file" : "does not exist")}.");
    }

    private static string[] NetworksIn(string directory)
    {
        try
        {
            return [.. Directory.EnumerateFiles(directory, "*" + Networks).Select(f => System.IO.Path.GetFileNameWithoutExtension(f)).Order(StringComparer.Ordinal)];
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            throw new AsniException($"the run in {directory} cannot be read: {e.Message.TrimEnd('.')}.", e);
        }
    }

    /// <summary>Makes the folder, its parents included, and holds it: no other process can take it.</summary>
    /// <exception cref="AsniException">It exists and is not empty, or cannot be made.</exception>
    public static RunFolder Create(string directory, RunDescription run) => TryCreate(directory, run, out string refusal) ?? throw new UsageException(refusal);

    /// <summary>Makes a folder of this name, or, where there is one, of the name with -2, -3, ...</summary>
    /// <exception cref="AsniException">It cannot be made.</exception>
    public static RunFolder CreateNew(string directory, RunDescription run)
    {
        RunFolder? folder = TryCreate(directory, run, out _);
        for (int i = 2; folder is null; i++) folder = TryCreate(string.Create(System.Globalization.CultureInfo.InvariantCulture, $"{directory}-{i}"), run, out _);
        return folder;
    }

    private static RunFolder? TryCreate(string directory, RunDescription run, out string refusal)
    {
        bool isFile = File.Exists(directory);
        refusal = $"{directory} {(isFile ? "is a file" : "exists and is not empty")}; give another folder for the run.";
        string? top = null;
        RunLock? held = null;
        try
        {
            if (isFile || !IsFree(directory)) return null;
            top = FirstMissing(directory);
            Directory.CreateDirectory(directory);
            held = RunLock.TryCreate(directory);
            if (held is not null && IsFree(directory))
            {
                var folder = new RunFolder(held, top, run);
                folder._metrics = new FileStream(folder.Make(Metrics), FileMode.CreateNew, FileAccess.Write, FileShare.Read, bufferSize: 0);
                return folder;
            }
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            Leave();
            throw AtomicFile.Failure(directory, e);
        }
        // Another process was faster: what is there is its own.
        Leave();
        return null;

        void Leave()
        {
            held?.Remove();
            RemoveEmpty(directory, top);
        }
    }

    /// <summary>
    /// Empties the folder of a run that ended before it had a recipe to be continued by. A folder with anything else in it stays as it is.
    /// </summary>
    /// <exception cref="AsniException">Another process works in it, or it cannot be written.</exception>
    public static void ClearUnbegun(string directory)
    {
        if (!File.Exists(System.IO.Path.Combine(directory, RunLock.FileName))) return;
        using RunLock held = RunLock.Take(directory);
        string start = System.IO.Path.Combine(directory, StartFile), metrics = System.IO.Path.Combine(directory, Metrics);
        string[] files = [.. Directory.EnumerateFiles(directory, "*", SearchOption.AllDirectories).Where(f => System.IO.Path.GetFileName(f) != RunLock.FileName)];
        if (!files.All(f => f == start || (f == metrics && new FileInfo(f).Length == 0) || f.EndsWith(AtomicFile.Aside, StringComparison.Ordinal))) return;
        foreach (string file in files) AtomicFile.TryDelete(file);
        RemoveIfEmpty(System.IO.Path.Combine(directory, CheckpointFolder));
        held.Remove();
    }

    /// <summary>Whether another process works in the folder of a run.</summary>
    public static bool IsHeld(string directory)
    {
        try
        {
            if (File.Exists(System.IO.Path.Combine(directory, RunLock.FileName))) RunLock.Take(directory).Dispose();
            return false;
        }
        catch (UsageException)
        {
            return true;
        }
    }

    /// <summary>Takes the folder of a run to go on with it; null when the run is complete, and nothing is left to do.</summary>
    /// <exception cref="AsniException">Another process works in it, it cannot be written, or it holds results but nothing to go on from.</exception>
    public static RunLock? Take(string directory)
    {
        if (IsComplete(directory) && !Directory.Exists(System.IO.Path.Combine(directory, CheckpointFolder))) return null;
        RunLock held = RunLock.Take(directory);
        if (!IsComplete(directory))
        {
            if (CanGoOn(directory)) return held;
            held.Remove();
            throw new AsniException($"{directory} holds networks but no checkpoint, and its {Summary} is missing or damaged: the run cannot be continued, and is not started again because it has results.");
        }
        // It was completed meanwhile, or killed between its summary and the removal of its checkpoints.
        RemoveCheckpoints(directory);
        held.Remove();
        return null;
    }

    /// <summary>
    /// Goes on in the folder of a run that stopped, as it was after these epochs: rows and events that were written after them go.
    /// </summary>
    /// <param name="held">The folder, taken before anything in it was read; the run folder lets go of it.</param>
    /// <exception cref="AsniException">It cannot be written.</exception>
    public static RunFolder Reopen(RunLock held, RunDescription run, IReadOnlyList<EpochRecord> epochs)
    {
        var folder = new RunFolder(held, null, run) { _hasResults = true };
        try
        {
            AtomicFile.WriteText(folder.In(Metrics), string.Concat(epochs.Select(e => RunJson.Row(e) + "\n")));
            foreach (string events in FilesIn(folder.In(EventFolder), EventWriter.Pattern)) File.Delete(events);
            foreach (string part in FilesIn(folder.Path, "*" + AtomicFile.Aside).Concat(FilesIn(folder.In(CheckpointFolder), "*" + AtomicFile.Aside)))
                File.Delete(part);
            folder._metrics = new FileStream(folder.In(Metrics), FileMode.Append, FileAccess.Write, FileShare.Read, bufferSize: 0);
            folder._epochs.AddRange(epochs);
            foreach (EpochRecord epoch in epochs) folder.Log(events => events.Epoch(epoch));
            return folder;
        }
        catch (Exception e)
        {
            folder.Dispose();
            if (e is IOException or UnauthorizedAccessException) throw AtomicFile.Failure(folder.Path, e);
            throw;
        }
    }

    /// <summary>True when the folder holds a run whose phases all ended.</summary>
    public static bool IsComplete(string directory)
    {
        string summary = System.IO.Path.Combine(directory, Summary);
        if (!File.Exists(summary)) return false;
        try
        {
            using var json = JsonDocument.Parse(File.ReadAllText(summary));
            return json.RootElement.ValueKind == JsonValueKind.Object && json.RootElement.TryGetProperty("complete", out JsonElement complete)
                && complete.ValueKind == JsonValueKind.True;
        }
        catch (Exception e) when (e is JsonException or InvalidOperationException or IOException or UnauthorizedAccessException)
        {
            return false;
        }
    }

    /// <summary>A file of the caller's own, such as the resolved recipe; its folder is made.</summary>
    public void WriteText(string name, string content)
    {
        string path = Make(name);
        try
        {
            Directory.CreateDirectory(System.IO.Path.GetDirectoryName(path)!);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            throw AtomicFile.Failure(path, e);
        }
        AtomicFile.WriteText(path, content);
    }

    /// <summary>Adds a row to metrics.jsonl; it is in the file when this returns.</summary>
    public void Append(EpochRecord record)
    {
        _hasResults = true;
        byte[] row = Encoding.UTF8.GetBytes(RunJson.Row(record) + "\n");
        long start = _metrics!.Position;
        try
        {
            _metrics.Write(row);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            // A disk that fills up midway leaves part of a row: take it back, so that every line in the file is whole.
            TryTruncate(start);
            throw AtomicFile.Failure(In(Metrics), e);
        }
        _epochs.Add(record);
        Log(events => events.Epoch(record));
    }

    /// <summary>
    /// Writes a phase's networks and brings layers.csv and summary.json up to date (with complete = false until <see cref="Complete"/>).
    /// </summary>
    public void Record(PhaseResult phase)
    {
        _hasResults = true;
        SaveNetworks(phase);
        _phases.Add(phase);
        AtomicFile.WriteText(In(LayerTable), LayersCsv.Text(_phases));
        WriteSummary(complete: false);
        Log(events => events.Phase(phase));
    }

    /// <summary>All phases ran to their last epoch: marks the summary complete, and removes the checkpoints.</summary>
    public void Complete()
    {
        WriteSummary(complete: true);
        RemoveCheckpoints(Path);
        _lock.Remove();
    }

    /// <summary>A run that is not complete has its checkpoints, or at least how it was started, until it is complete; before that, it has no network.</summary>
    private static bool CanGoOn(string directory) =>
        File.Exists(System.IO.Path.Combine(directory, StartFile)) || CheckpointKeeper.Files(System.IO.Path.Combine(directory, CheckpointFolder)).Any()
        || !FilesIn(directory, "*.safetensors").Any();

    private static void RemoveCheckpoints(string directory)
    {
        string checkpoints = System.IO.Path.Combine(directory, CheckpointFolder);
        foreach (string file in CheckpointKeeper.Files(checkpoints).Append(System.IO.Path.Combine(directory, StartFile)))
            AtomicFile.TryDelete(file);
        RemoveIfEmpty(checkpoints);
    }

    /// <summary>
    /// Removes what was made here, and the folders made for it, unless training left something: an epoch, or a checkpoint to go on from.
    /// Returns whether the folder is kept.
    /// </summary>
    public bool DiscardIfEmpty()
    {
        if (_hasResults || CheckpointKeeper.Files(In(CheckpointFolder)).Any()) return true;
        Discard();
        return false;
    }

    public void Dispose()
    {
        _metrics?.Dispose();
        _eventFile?.Dispose();
        _lock.Dispose();
    }

    /// <summary>A network of a run folder.</summary>
    /// <exception cref="AsniException">The file is missing, damaged or does not fit the network.</exception>
    public static TrainedNetwork Load(string path, Network network) => NetworkFormats.Read(path, network);

    /// <summary>Adds to TensorBoard's log, which is made with the first thing there is to say.</summary>
    private void Log(Action<RunEvents> write)
    {
        try
        {
            if (_events is null)
            {
                Directory.CreateDirectory(In(EventFolder));
                string file = System.IO.Path.Combine(EventFolder, EventWriter.FileName(DateTimeOffset.UtcNow));
                _eventFile = AtomicFile.CreateNew(Make(file), FileShare.Read, bufferSize: 0);
                _events = new RunEvents(_eventFile);
            }
            write(_events);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            throw AtomicFile.Failure(In(EventFolder), e);
        }
    }

    /// <summary>Of a phase that ended before the run was resumed too: its files may have been damaged or lost since.</summary>
    private void SaveNetworks(PhaseResult phase)
    {
        if (phase is { IsFromFewNumbers: true, HasOwnInitial: true })
        {
            Save(phase.Initial, AsniII.InitialName);
            AsniFile.Write(In(AmenableFile), phase.Initial, AsniII.InitialName);
        }
        Save(phase.Model, phase.Phase);
    }

    private void Save(TrainedNetwork model, string phase) =>
        NetworkFile.Write(In(NetworkFileName(phase)), model, phase);

    private void WriteSummary(bool complete)
    {
        AtomicFile.Write(In(Summary), stream => RunJson.WriteSummary(stream, _run, _phases, _epochs, complete));
        if (ReportWriter is not { } writer) return;
        string recipe = File.Exists(In(Recipe)) ? File.ReadAllText(In(Recipe)) : "";
        var networks = new DirectoryInfo(Path).EnumerateFiles().Where(f => f.Extension is ".safetensors" or AsniFile.Extension)
            .OrderBy(f => f.Name, StringComparer.Ordinal).Select(f => (f.Name, f.Length));
        AtomicFile.WriteText(In(Report), writer(new RunSoFar(_run, _epochs, _phases, complete, recipe, [.. networks])));
    }

    private string In(string name) => System.IO.Path.Combine(Path, name);

    /// <summary>The path of a file that this run makes.</summary>
    private string Make(string name)
    {
        _made.Add(In(name));
        return In(name);
    }

    private void Discard()
    {
        _metrics?.Dispose();
        _eventFile?.Dispose();
        foreach (string file in _made) AtomicFile.TryDelete(file);
        RemoveIfEmpty(In(CheckpointFolder));
        RemoveIfEmpty(In(EventFolder));
        _lock.Remove();
        RemoveEmpty(Path, _createdTop);
    }

    private static bool IsFree(string directory) =>
        !Directory.Exists(directory) || !Directory.EnumerateFileSystemEntries(directory).Any(e => System.IO.Path.GetFileName(e) != RunLock.FileName);

    private static IEnumerable<string> FilesIn(string directory, string pattern) => Directory.Exists(directory) ? Directory.EnumerateFiles(directory, pattern) : [];

    /// <summary>Removes a folder and its parents up to the topmost that was made for it; what has something in it stays.</summary>
    private static void RemoveEmpty(string directory, string? top)
    {
        if (top is null) return;
        string? folder = System.IO.Path.GetFullPath(directory);
        while (folder?.Length >= top.Length && RemoveIfEmpty(folder)) folder = System.IO.Path.GetDirectoryName(folder);
    }

    private static bool RemoveIfEmpty(string directory)
    {
        try
        {
            Directory.Delete(directory);
            return true;
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            return false;
        }
    }

    /// <summary>The topmost folder on the way to this one that does not exist yet; null when the folder itself exists.</summary>
    private static string? FirstMissing(string directory)
    {
        string? missing = null;
        for (string? d = System.IO.Path.GetFullPath(directory); d != null && !Directory.Exists(d); d = System.IO.Path.GetDirectoryName(d))
            missing = d;
        return missing;
    }

    private void TryTruncate(long length)
    {
        try
        {
            _metrics!.SetLength(length);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException or NotSupportedException)
        {
            // The write's own failure is what the user needs to hear.
        }
    }
}
