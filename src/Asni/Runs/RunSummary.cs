using System.Text.Json;
using Asni.Data;
using Asni.Formats;

namespace Asni.Runs;

/// <summary>What a phase reached, as summary.json has it; null where the run had no number.</summary>
public sealed record PhaseSummary(string Phase, double? Top1, double? Sparsity, long Kept, double? Seconds, bool Complete)
{
    /// <summary>The share of the weights that are on no path of live weights from an input to a logit; null in folders of before this was written.</summary>
    public double? EffectiveSparsity { get; init; }

    /// <summary>Multiply-accumulates of an image with the live weights; null in folders of before this was written.</summary>
    public long? LiveMacs { get; init; }
}

/// <summary>A finished (or stopped) run, read back from its folder.</summary>
/// <param name="Recipe">recipe.yaml without the seed: what runs that differ only in their seed share.</param>
/// <param name="Phases">In the order they ran.</param>
/// <param name="AmenableBytes">Size of the amenable file; null when the run has none.</param>
public sealed record RunSummary(string Folder, string Network, string Data, ulong Seed, long Parameters, string Recipe,
    IReadOnlyList<PhaseSummary> Phases,
    long? AmenableBytes)
{
    /// <summary>What pixels became before the network read them; null in folders of before this was written.</summary>
    public Normalization? Normalization { get; init; }

    /// <summary>In the order of the network's outputs; empty when unknown.</summary>
    public IReadOnlyList<string> ClassNames { get; init; } = [];

    /// <summary>What the run's networks saw in training.</summary>
    /// <exception cref="AsniException">The folder is of before that was written.</exception>
    public ImageDescription DescribeImages() => Normalization is { } normalization ? new ImageDescription(normalization, ClassNames, UsesWholeImage: !Datasets.IsOfAnySize(Data))
        : throw new AsniException($"{Path.Combine(Folder, RunFolder.Summary)} does not say how images were normalized: the run is by an older version.");

    /// <exception cref="UsageException">There is no such folder.</exception>
    /// <exception cref="AsniException">The folder has no summary, or a damaged one.</exception>
    public static RunSummary Read(string folder)
    {
        RunFolder.RequireFolder(folder);
        string path = Path.Combine(folder, RunFolder.Summary);
        if (!File.Exists(path)) throw new AsniException($"{folder} has no {RunFolder.Summary}; it is no run folder, or its first phase did not end.");
        try
        {
            using var json = JsonDocument.Parse(WholeFile.Read(path), new JsonDocumentOptions { AllowDuplicateProperties = false });
            JsonElement root = json.RootElement;
            string recipe = Path.Combine(folder, RunFolder.Recipe), amenable = Path.Combine(folder, RunFolder.AmenableFile);
            return new RunSummary(folder, Text(root.GetProperty("network")), Text(root.GetProperty("data")),
                root.GetProperty("seed").GetUInt64(),
                root.GetProperty("parameters").GetInt64(), File.Exists(recipe) ? WithoutSeed(File.ReadLines(recipe)) : "",
                [.. root.EnumerateObject().Where(p => p.Value.ValueKind == JsonValueKind.Object && p.Value.TryGetProperty("kept", out _)).Select(p => Phase(p.Name, p.Value))],
                File.Exists(amenable) ? new FileInfo(amenable).Length : null)
            {
                Normalization = root.TryGetProperty("mean", out JsonElement mean) ? ReadNormalization(mean, root.GetProperty("std")) : null,
                ClassNames = root.TryGetProperty("class_names", out JsonElement names) ? [.. names.EnumerateArray().Select(Text)] : [],
            };
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            throw new AsniException($"the run in {folder} cannot be read: {e.Message.TrimEnd('.')}.", e);
        }
        catch (Exception e) when (e is JsonException or KeyNotFoundException or InvalidOperationException or FormatException)
        {
            throw new AsniException($"{path} is damaged: it is not the JSON that a run writes.", e);
        }
    }

    private static string Text(JsonElement json) => json.GetString() ?? throw new FormatException("null where text was expected");

    private static Normalization ReadNormalization(JsonElement mean, JsonElement std)
    {
        float[] means = [.. mean.EnumerateArray().Select(m => m.GetSingle())], deviations = [.. std.EnumerateArray().Select(s => s.GetSingle())];
        if (means.Length == 0 || means.Length != deviations.Length || !means.All(float.IsFinite) || !deviations.All(s => float.IsFinite(s) && s > 0))
            throw new FormatException("mean and std do not fit each other");
        return new Normalization(means, deviations);
    }

    private static PhaseSummary Phase(string name, JsonElement json)
    {
        double? Number(string key) => json.GetProperty(key) is { ValueKind: JsonValueKind.Number } number ? number.GetDouble() : null;
        return new PhaseSummary(name, Number("top1"), Number("sparsity"), json.GetProperty("kept").GetInt64(), Number("seconds"),
            json.GetProperty("complete").GetBoolean())
        {
            EffectiveSparsity = json.TryGetProperty("effective_sparsity", out JsonElement effective) ? effective.GetDouble() : null,
            LiveMacs = json.TryGetProperty("live_macs", out JsonElement macs) ? macs.GetInt64() : null,
        };
    }

    private static string WithoutSeed(IEnumerable<string> lines) =>
        string.Join('\n', lines.Where(l => !l.StartsWith("seed:", StringComparison.Ordinal)));
}
