using System.Text.Encodings.Web;
using System.Text.Json;
using Asni.Methods;
using Asni.Networks;
using Asni.Training;

namespace Asni.Runs;

/// <summary>The JSON of a run folder; docs/formats.md lists the keys.</summary>
internal static class RunJson
{
    private static readonly JsonWriterOptions s_line = new() { Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping };
    private static readonly JsonWriterOptions s_indented = s_line with { Indented = true };

    /// <summary>One row of metrics.jsonl, without the line's end.</summary>
    public static string Row(EpochRecord r)
    {
        using var buffer = new MemoryStream();
        using (var json = new Utf8JsonWriter(buffer, s_line))
        {
            json.WriteStartObject();
            json.WriteString("phase", r.Phase);
            json.WriteNumber("epoch", r.Epoch);
            Number(json, "lr", r.Lr);
            Number(json, "train_loss", r.TrainLoss);
            Number(json, "test_loss", r.TestLoss);
            Number(json, "test_top1", r.TestTop1);
            Number(json, "test_top5", r.TestTop5);
            Number(json, "sparsity", r.Sparsity);
            json.WriteNumber("kept", r.Kept);
            Number(json, "threshold", r.Threshold);
            Number(json, "seconds", r.Seconds);
            Number(json, "images_per_second", r.ImagesPerSecond);
            if (r.EverLive is { } ever) Number(json, "ever_live", ever);
            json.WriteEndObject();
        }
        return System.Text.Encoding.UTF8.GetString(buffer.ToArray());
    }

    public static void WriteSummary(Stream stream, RunDescription run, IReadOnlyList<PhaseResult> phases, IReadOnlyList<EpochRecord> epochs, bool complete)
    {
        using var json = new Utf8JsonWriter(stream, s_indented);
        json.WriteStartObject();
        json.WriteString("network", run.Network.Name);
        json.WriteString("input", $"{run.Network.Input.Channels}x{run.Network.Input.Height}x{run.Network.Input.Width}");
        json.WriteNumber("classes", run.Network.Classes);
        if (run.ClassNames.Count > 0) Strings(json, "class_names", run.ClassNames);
        json.WriteString("data", run.Data);
        json.WriteString("data_source", run.DataSource);
        if (run.Normalization is { } normalization)
        {
            Numbers(json, "mean", normalization.Mean);
            Numbers(json, "std", normalization.Std);
        }
        json.WriteNumber("train_images", run.TrainImages);
        json.WriteNumber("test_images", run.TestImages);
        json.WriteString("device", run.Device);
        json.WriteNumber("seed", run.Seed);
        json.WriteNumber("parameters", run.Network.ParameterCount);
        json.WriteNumber("weights", run.Network.WeightCount);
        foreach (PhaseResult phase in phases) WritePhase(json, phase, BestEpoch.Of(phase, epochs));
        json.WriteBoolean("complete", complete);
        json.WriteEndObject();
    }

    private static void Strings(Utf8JsonWriter json, string key, IEnumerable<string> values)
    {
        json.WriteStartArray(key);
        foreach (string value in values) json.WriteStringValue(value);
        json.WriteEndArray();
    }

    private static void Numbers(Utf8JsonWriter json, string key, IEnumerable<float> values)
    {
        json.WriteStartArray(key);
        foreach (float value in values) json.WriteNumberValue(value);
        json.WriteEndArray();
    }

    private static void WritePhase(Utf8JsonWriter json, PhaseResult phase, BestEpoch? best)
    {
        json.WriteStartObject(phase.Phase);
        Number(json, "top1", phase.Top1);
        Number(json, "top5", phase.Top5);
        Number(json, "test_loss", phase.TestLoss);
        Number(json, "best_top1", best?.Top1);
        Number(json, "best_epoch", best?.Epoch);
        Number(json, "sparsity", phase.Sparsity);
        json.WriteNumber("kept", phase.Kept);
        Number(json, "effective_sparsity", phase.Paths.Sparsity);
        json.WriteNumber("effective", phase.Paths.Effective);
        NetworkAnalysis cost = phase.Analysis;
        json.WriteNumber("macs", cost.Macs);
        json.WriteNumber("live_macs", cost.LiveMacs);
        if (phase.IsFromFewNumbers) WriteCentroids(json, phase);
        Number(json, "seconds", phase.Seconds);
        json.WriteBoolean("complete", phase.Complete);
        json.WriteEndObject();
    }

    private static void WriteCentroids(Utf8JsonWriter json, PhaseResult phase)
    {
        json.WriteStartArray("centroids");
        foreach (LayerResult layer in phase.Layers)
        {
            json.WriteStartArray();
            Value(json, layer.CenterPlus);
            Value(json, layer.CenterMinus);
            json.WriteEndArray();
        }
        json.WriteEndArray();
        InitializationSize size = InitializationSize.Measure(phase.Initial, phase.Levels);
        json.WriteNumber("initialization_bytes", size.TotalBytes);
        json.WriteNumber("dense_bytes", size.DenseBytes);
    }

    /// <summary>JSON has no NaN or infinity; a run that diverged or was cut short has null there.</summary>
    private static void Number(Utf8JsonWriter json, string name, double? value)
    {
        if (value is { } v && double.IsFinite(v)) json.WriteNumber(name, v);
        else json.WriteNull(name);
    }

    private static void Value(Utf8JsonWriter json, float? value)
    {
        if (value is { } v && float.IsFinite(v)) json.WriteNumberValue(v);
        else json.WriteNullValue();
    }
}
