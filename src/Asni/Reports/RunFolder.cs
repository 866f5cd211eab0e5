using System.Text;
using System.Text.Json;
using Asni.Engine;
using Asni.Formats;
using Asni.Formats.Amenable;
using Asni.Formats.TensorBoard;
using Asni.Methods;
using Asni.Training;

namespace Asni.Reports;

/// <summary>
/// What a run leaves behind: metrics.jsonl grows by a row an epoch; summary.json, layers.csv and the networks are written whole after each
/// phase, so that the folder is usable whenever the run stops. Numbers are in invariant culture.
/// </summary>
public sealed class RunFolder : IDisposable
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

    /// <summary>What ASNI-II started from, in little more room than its information.</summary>
    public const string AmenableFile = "asni2-init" + AsniFile.Extension;

    private readonly RunDescription _run;
    private readonly string? _createdTop;
    private readonly List<PhaseResult> _phases = [];
    private readonly List<EpochRecord> _epochs = [];
    private FileStream? _metrics;
    private FileStream? _eventFile;
    private RunEvents? _events;
    private bool _hasResults;

    private RunFolder(string path, string? createdTop, RunDescription run) => (Path, _createdTop, _run) = (path, createdTop, run);

    public string Path { get; }

    /// <summary>The epochs so far.</summary>
    public IReadOnlyList<EpochRecord> Epochs => _epochs;

    public static string NetworkFileName(string phase) => phase + ".safetensors";

    /// <summary>Makes the folder, its parents included.</summary>
    /// <exception cref="AsniException">It exists and is not empty, or cannot be made.</exception>
    public static RunFolder Create(string directory, RunDescription run)
    {
        try
        {
            if (File.Exists(directory)) throw new UsageException($"{directory} is a file; give another folder for the run.");
            if (Directory.Exists(directory) && Directory.EnumerateFileSystemEntries(directory).Any())
                throw new UsageException($"{directory} exists and is not empty; give another folder for the run.");
            string? top = FirstMissing(directory);
            Directory.CreateDirectory(directory);
            var folder = new RunFolder(directory, top, run);
            try
            {
                folder._metrics = new FileStream(folder.In(Metrics), FileMode.CreateNew, FileAccess.Write, FileShare.Read, bufferSize: 0);
            }
            catch
            {
                folder.Discard();
                throw;
            }
            return folder;
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            throw AtomicFile.Failure(directory, e);
        }
    }

    /// <summary>
    /// Opens the folder of a run that stopped, as it was after these epochs: rows and events that were written after them go.
    /// </summary>
    /// <exception cref="AsniException">It cannot be written.</exception>
    public static RunFolder Reopen(string directory, RunDescription run, IReadOnlyList<EpochRecord> epochs)
    {
        var folder = new RunFolder(directory, null, run) { _hasResults = true };
        AtomicFile.WriteText(folder.In(Metrics), string.Concat(epochs.Select(e => RunJson.Row(e) + "\n")));
        try
        {
            if (Directory.Exists(folder.In(EventFolder))) Directory.Delete(folder.In(EventFolder), recursive: true);
            foreach (string part in Directory.EnumerateFiles(directory, "*" + AtomicFile.Aside, SearchOption.AllDirectories)) File.Delete(part);
            folder._metrics = new FileStream(folder.In(Metrics), FileMode.Append, FileAccess.Write, FileShare.Read, bufferSize: 0);
            folder._epochs.AddRange(epochs);
            foreach (EpochRecord epoch in epochs) folder.Log(events => events.Epoch(epoch));
            return folder;
        }
        catch (Exception e)
        {
            folder.Dispose();
            if (e is IOException or UnauthorizedAccessException) throw AtomicFile.Failure(directory, e);
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
            return json.RootElement.TryGetProperty("complete", out JsonElement complete) && complete.ValueKind == JsonValueKind.True;
        }
        catch (JsonException)
        {
            return false;
        }
    }

    /// <summary>A file of the caller's own, such as the resolved recipe.</summary>
    public void WriteText(string name, string content) => AtomicFile.WriteText(In(name), content);

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
        // The files of a phase that ended before the run was resumed are there.
        if (!phase.Restored) SaveNetworks(phase);
        _phases.Add(phase);
        AtomicFile.WriteText(In(LayerTable), LayersCsv.Text(_phases));
        WriteSummary(complete: false);
        Log(events => events.Phase(phase));
    }

    /// <summary>All phases ran to their last epoch: marks the summary complete.</summary>
    public void Complete() => WriteSummary(complete: true);

    /// <summary>Removes the folder, and the parents made for it, unless training left something in it.</summary>
    public void DiscardIfEmpty()
    {
        if (!_hasResults) Discard();
    }

    public void Dispose()
    {
        _metrics?.Dispose();
        _eventFile?.Dispose();
    }

    /// <summary>A network of a run folder.</summary>
    /// <exception cref="AsniException">The file is missing, damaged or does not fit the network.</exception>
    public static ModelSnapshot Load(string path, Networks.Network network)
    {
        StoredWeights weights = NetworkFormats.Read(path, network);
        return new ModelSnapshot(network, weights.Values, weights.Masks);
    }

    /// <summary>Adds to TensorBoard's log, which is made with the first thing there is to say.</summary>
    private void Log(Action<RunEvents> write)
    {
        try
        {
            if (_events is null)
            {
                Directory.CreateDirectory(In(EventFolder));
                string file = System.IO.Path.Combine(EventFolder, EventWriter.FileName(DateTimeOffset.UtcNow));
                _eventFile = new FileStream(In(file), FileMode.Create, FileAccess.Write, FileShare.Read, bufferSize: 0);
                _events = new RunEvents(_eventFile);
            }
            write(_events);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            throw AtomicFile.Failure(In(EventFolder), e);
        }
    }

    private void SaveNetworks(PhaseResult phase)
    {
        if (phase.Phase == "asni2")
        {
            Save(phase.Initial, "asni2-init");
            AsniFile.Write(In(AmenableFile), phase.Initial.Network, new StoredWeights(phase.Initial.Values, phase.Initial.Masks), "asni2-init");
        }
        Save(phase.Model, phase.Phase);
    }

    private void Save(ModelSnapshot model, string phase) =>
        NetworkFile.Write(In(NetworkFileName(phase)), model.Network, new StoredWeights(model.Values, model.Masks), phase);

    private void WriteSummary(bool complete)
    {
        AtomicFile.Write(In(Summary), stream => RunJson.WriteSummary(stream, _run, _phases, complete));
        string recipe = File.Exists(In(Recipe)) ? File.ReadAllText(In(Recipe)) : "";
        var networks = new DirectoryInfo(Path).EnumerateFiles().Where(f => f.Extension is ".safetensors" or AsniFile.Extension)
            .OrderBy(f => f.Name, StringComparer.Ordinal).Select(f => (f.Name, f.Length));
        AtomicFile.WriteText(In(Report), new RunReport(_run, _epochs, _phases, complete).Html(recipe, [.. networks]));
    }

    private string In(string name) => System.IO.Path.Combine(Path, name);

    private void Discard()
    {
        Dispose();
        if (_createdTop is not null)
        {
            string full = System.IO.Path.GetFullPath(Path);
            Directory.Delete(full, recursive: true);
            string? parent = System.IO.Path.GetDirectoryName(full);
            for (; parent?.Length >= _createdTop.Length && !Directory.EnumerateFileSystemEntries(parent).Any();
                parent = System.IO.Path.GetDirectoryName(parent))
                Directory.Delete(parent);
        }
        else
        {
            foreach (string file in Directory.EnumerateFiles(Path)) File.Delete(file);
            foreach (string folder in Directory.EnumerateDirectories(Path)) Directory.Delete(folder, recursive: true);
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
