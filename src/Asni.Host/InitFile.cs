using Asni.Engine;
using Asni.Formats;
using Asni.Host.Recipes;
using Asni.Methods;
using Asni.Networks;
using Asni.Settings;

namespace Asni.Host;

/// <summary>The file of --init: what it settles about a run, and its weights.</summary>
internal static class InitFile
{
    /// <summary>
    /// Settings that the file stands for where the user said nothing: its network, its input for data of any size, and retraining
    /// when it holds what ASNI-II starts from.
    /// Empty when there is no file, or when it does not say what network it holds.
    /// </summary>
    /// <exception cref="AsniException">The file is missing or damaged.</exception>
    public static SettingsLayer Settings(SettingValue? init)
    {
        if (init is null) return SettingsLayer.Empty;
        if (Directory.Exists(init.Text)) throw new UsageException($"{init.Origin} '{init.Text}' is a folder; a file was expected, such as a run's dense.safetensors.");
        if (!File.Exists(init.Text)) throw new UsageException($"{init.Origin} '{init.Text}' does not exist.");
        if (NetworkFormats.TryReadHeader(init.Text) is not { } header) return SettingsLayer.Empty;
        var values = new Dictionary<string, SettingValue>();
        void Set(string key, string text) => values[key] = new SettingValue(text, $"{init.Text}: its {key}");
        Set("net", header.Network.Name);
        Set("input", SettingText.Text(header.Network.Input));
        if (header.Phase == AsniII.InitialName) Set("method", new Retrain().Name);
        return new SettingsLayer(values);
    }

    /// <summary>The file's own graph, where the run is to train the network that the file names and that is not the zoo's of that name.</summary>
    /// <param name="asked">What the run is to train.</param>
    public static Network? NetworkOfItsOwn(SettingValue? init, string? asked) => init is not null && asked is not null
        && NetworkFormats.TryReadHeader(init.Text)?.Network is { } network && network.Name == asked && !IsOfZoo(network) ? network : null;

    private static bool IsOfZoo(Network network)
    {
        if (!NetworkZoo.Has(network.Name)) return false;
        try
        {
            return GraphJson.Write(NetworkZoo.Create(network.Name, network.Input, network.Classes)) == GraphJson.Write(network);
        }
        catch (UsageException)
        {
            return false;
        }
    }

    /// <summary>The file's weights in the network; what the file does not have starts fresh, and notes say so.</summary>
    /// <exception cref="AsniException">Nothing in the file fits the network, or not all of it and all has to.</exception>
    /// <exception cref="StartException">The network is pruned and the method prunes.</exception>
    public static TrainedNetwork Load(string path, RunSettings settings, Recipe recipe, Network network, List<string> notes)
    {
        TrainedNetwork fresh = MethodRunner.InitialWeights(network, recipe.Seed);
        bool whole = recipe.Method.Row.NeedsStart;
        WeightsByName loaded = WeightFile.Load(path, network, fresh, settings.Match, settings.Zeros ?? (whole ? null : ZeroWeights.Live), settings.Strict ?? whole);
        recipe.Method.ValidateStart(given: true, loaded.IsPruned);
        notes.AddRange(WeightNotes.Describe(loaded, path));
        return loaded.Trained;
    }
}
