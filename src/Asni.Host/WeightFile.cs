using System.CommandLine;
using Asni.Data;
using Asni.Engine;
using Asni.Formats;
using Asni.Host.Recipes;
using Asni.Methods;
using Asni.Networks;
using Asni.Settings;
using Asni.Tensors;

namespace Asni.Host;

/// <summary>
/// --net, --input, --classes, --match, --zeros and --strict: how commands read a network file that does not say what network it holds, such as a state
/// dict of PyTorch.
/// </summary>
internal sealed class WeightFile
{
    /// <summary>The phase of a network that no run of Asni delivered.</summary>
    private const string Imported = "imported";

    private readonly Option<string> _net = new("--net") { Description = "network of a file that does not name it (PyTorch, safetensors of other programs)", HelpName = "net" };
    private readonly Option<string> _input = new("--input") { Description = "with --net: input size, CxHxW", HelpName = "CxHxW" };
    private readonly Option<int?> _classes = new("--classes") { Description = "with --net: number of classes, when the file does not tell", HelpName = "n" };
    private readonly Option<string> _match = new("--match") { Description = "with --net: assign tensors by name, or by order where names do not match and shapes do", HelpName = "names|order" };
    private readonly Option<string> _zeros = new("--zeros") { Description = "with --net: treat zeros of a file without masks as pruned (default) or live", HelpName = "pruned|live" };
    private readonly Option<bool> _strict = new("--strict") { Description = "with --net: every tensor must match (default)" };
    private readonly Option<bool> _noStrict = new("--no-strict") { Description = "with --net: load the tensors that match, initialize the others" };

    private Option[] Options => [_net, _input, _classes, _match, _zeros, _strict, _noStrict];

    public void AddTo(Command command)
    {
        foreach (Option option in Options) command.Add(option);
    }

    /// <summary>Refuses the options beside --run.</summary>
    /// <exception cref="UsageException">One of them was given.</exception>
    public void RequireNone(ParseResult parsed) => RequireNone(parsed, "is for a network file: the networks of a run describe themselves");

    private void RequireNone(ParseResult parsed, string why)
    {
        foreach (Option option in Options)
            if (parsed.GetResult(option) is { Implicit: false }) throw new UsageException($"{option.Name} {why}.");
    }

    /// <summary>The input that images of a dataset are brought to: as the file or --input says, or of image files the network's own; null: the data's.</summary>
    public Chw? InputOf(ParseResult parsed, string path, string data) =>
        parsed.GetValue(_net) is not { } name ? NetworkFormats.TryReadHeader(path)?.Network.Input
        : Parse<Chw?>(parsed, _input, text => SettingText.Chw(text)) ?? (Datasets.IsOfAnySize(DataSource.ProperName(data)) ? NetworkZoo.Create(name).Input : null);

    /// <summary>The file's network: as it says, or as --net says.</summary>
    /// <param name="input">The input of the data that it is for; null: --input, or the network's own.</param>
    /// <param name="classesOfData">Classes where neither --classes nor the file tells; null: the network's own.</param>
    /// <param name="console">Told of each thing that was chosen or left.</param>
    /// <exception cref="AsniException">The file is missing, damaged or does not fit.</exception>
    /// <exception cref="UnnamedNetworkException">It does not say what network it holds, and nor does --net.</exception>
    public StoredNetwork Read(ParseResult parsed, string path, HostConsole console, Chw? input = null, int? classesOfData = null)
    {
        if (parsed.GetValue(_net) is not { } name)
        {
            StoredNetwork stored = NetworkFormats.Read(path);
            RequireNone(parsed, "needs --net: it is for files that do not name their network");
            return stored;
        }
        if (parsed.GetValue(_strict) && parsed.GetValue(_noStrict)) throw new UsageException("--strict and --no-strict exclude each other.");
        NetworkFileHeader? header = NetworkFormats.TryReadHeader(path);
        Chw? size = Parse<Chw?>(parsed, _input, text => SettingText.Chw(text)) ?? input ?? header?.Network.Input;
        MatchKind? match = Parse<MatchKind?>(parsed, _match, text => SettingText.Choice<MatchKind>(text));
        ZeroWeights zeros = Parse<ZeroWeights?>(parsed, _zeros, text => SettingText.Choice<ZeroWeights>(text)) ?? ZerosOf(header);
        Network network = NetworkZoo.Create(name, size, parsed.GetValue(_classes));
        if (parsed.GetValue(_classes) is null && ((WeightsByName.ClassesOf(path, network) ?? classesOfData) is { } classes and >= 2))
            network = NetworkZoo.Create(name, size, classes);
        WeightsByName loaded = Load(path, network, MethodRunner.CreateInitialWeights(network, 1), match, zeros, !parsed.GetValue(_noStrict));
        foreach (string note in WeightNotes.Describe(loaded, path)) console.Note(note);
        return new StoredNetwork(path, loaded.Trained, Imported);
    }

    /// <summary>What zeros are in a file without masks: pruned in one of another program, live in our own, whose masks say what is pruned.</summary>
    public static ZeroWeights ZerosOf(NetworkFileHeader? header) => header is null ? ZeroWeights.Pruned : ZeroWeights.Live;

    /// <exception cref="WeightMismatchException">Nothing fits, or not all where all has to.</exception>
    public static WeightsByName Load(string path, Network network, TrainedNetwork fresh, MatchKind? match, ZeroWeights zeros, bool strict) =>
        WeightsByName.Load(path, network, fresh, new WeightMatching { InOrder = match == MatchKind.Order, Zeros = zeros, Strict = strict });

    private static T? Parse<T>(ParseResult parsed, Option<string> option, Func<string, T> read)
    {
        if (parsed.GetValue(option) is not { } text) return default;
        try
        {
            return read(text);
        }
        catch (FormatException e)
        {
            throw new UsageException($"{option.Name} '{text}' is not {e.Message}.", e);
        }
    }
}
