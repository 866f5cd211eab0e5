using Asni.Engine;
using Asni.Formats;
using Asni.Host.Recipes;
using Asni.Methods;
using Asni.Networks;
using Asni.Settings;

namespace Asni.Host;

/// <summary>The file of --init: what it settles about a run, and its weights.</summary>
internal sealed class InitFile
{
    /// <summary>Null when the file does not say what network it holds.</summary>
    private readonly NetworkFileHeader? _header;

    private InitFile(SettingValue init)
    {
        _header = NetworkFormats.TryReadHeader(init.Text);
        Settings = _header is null ? SettingsLayer.Empty : SettingsOf(_header, init.Text);
    }

    /// <summary>
    /// Settings that the file stands for where the user said nothing: its network, its input for data of any size, and retraining
    /// when it holds what ASNI-II starts from.
    /// </summary>
    public SettingsLayer Settings { get; }

    /// <summary>Reads what the file says about its network; null when there is no --init.</summary>
    /// <exception cref="AsniException">The file is missing or damaged.</exception>
    public static InitFile? Open(SettingValue? init)
    {
        if (init is null) return null;
        if (Directory.Exists(init.Text)) throw new UsageException($"{init.Origin} '{init.Text}' is a folder; a file was expected, such as a run's dense.safetensors.");
        if (!File.Exists(init.Text)) throw new UsageException($"{init.Origin} '{init.Text}' does not exist.");
        return new InitFile(init);
    }

    /// <summary>The file's own graph, where the run is to train the network that the file names and that is not the zoo's of that name.</summary>
    /// <param name="asked">What the run is to train.</param>
    public Network? NetworkOfItsOwn(string? asked) => _header?.Network is { } network && network.Name == asked && !IsOfZoo(network) ? network : null;

    /// <summary>The file's weights in the network; what the file does not have starts fresh, and notes say so.</summary>
    /// <exception cref="AsniException">Nothing in the file fits the network, or not all of it and all has to.</exception>
    /// <exception cref="StartException">The network is pruned and the method prunes.</exception>
    public TrainedNetwork Load(RunSettings settings, Network network, List<string> notes)
    {
        Method method = settings.Recipe.Method;
        string path = settings.Init!;
        TrainedNetwork fresh = MethodRunner.CreateInitialWeights(network, settings.Recipe.Seed);
        bool whole = method.Row.NeedsStart;
        ZeroWeights zeros = settings.Zeros ?? (whole ? WeightFile.ZerosOf(_header) : ZeroWeights.Live);
        WeightsByName loaded = WeightFile.Load(path, network, fresh, settings.Match, zeros, settings.Strict ?? (whole || method.Row.StartsTrained));
        method.ValidateStart(given: true, loaded.IsPruned);
        notes.AddRange(WeightNotes.Describe(loaded, path));
        return loaded.Trained;
    }

    private static SettingsLayer SettingsOf(NetworkFileHeader header, string path)
    {
        var values = new Dictionary<string, SettingValue>();
        void Set(string key, string text) => values[key] = new SettingValue(text, $"{path}: its {key}");
        Set("net", header.Network.Name);
        Set("input", SettingText.Text(header.Network.Input));
        if (header.Phase == AsniII.InitialName) Set("method", new Retrain().Name);
        return new SettingsLayer(values);
    }

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
}
