using System.Text.Json;
using Asni.Data;
using Asni.Formats;

namespace Asni.Cuda.Launchers;

/// <summary>
/// Measured choices on disk: a JSON object of one object a GPU and driver, with a choice for each key. It is only a cache: a file that cannot
/// be read counts as empty, and one that cannot be written is done without.
/// </summary>
/// <param name="path">The file; its folder is made when there is something to write.</param>
internal sealed class TuningCache(string path)
{
    private static readonly JsonSerializerOptions s_indented = new() { WriteIndented = true };

    private readonly Lock _lock = new();
    private Dictionary<string, Dictionary<string, string>>? _known;

    /// <summary>convolution-tiles.json in the user's cache folder.</summary>
    public static TuningCache Default { get; } = new(Path.Combine(DatasetLocator.UserCache, "convolution-tiles.json"));

    public string? Find(string gpu, string key)
    {
        lock (_lock)
        {
            _known ??= Read();
            return _known.TryGetValue(gpu, out Dictionary<string, string>? choices) ? choices.GetValueOrDefault(key) : null;
        }
    }

    public void Add(string gpu, string key, string choice)
    {
        lock (_lock)
        {
            // Read again: another process may have added to it.
            _known = Read();
            if (!_known.TryGetValue(gpu, out Dictionary<string, string>? choices)) _known[gpu] = choices = [];
            choices[key] = choice;
            try
            {
                Directory.CreateDirectory(Path.GetDirectoryName(path)!);
                AtomicFile.WriteText(path, JsonSerializer.Serialize(_known, s_indented));
            }
            catch (Exception e) when (e is IOException or UnauthorizedAccessException or AsniException)
            {
                // The next process measures again.
            }
        }
    }

    private Dictionary<string, Dictionary<string, string>> Read()
    {
        try
        {
            return JsonSerializer.Deserialize<Dictionary<string, Dictionary<string, string>>>(File.ReadAllText(path)) ?? [];
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException or JsonException)
        {
            return _known ?? [];
        }
    }
}
