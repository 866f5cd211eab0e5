using System.CommandLine;
using Asni.Formats;
using Asni.Host.Display;
using Asni.Host.Recipes;
using Asni.Networks;
using Asni.Settings;
using Asni.Tensors;

namespace Asni.Host.Commands;

/// <summary>asni info: the layers of a network and what they hold and cost, or what a network file holds.</summary>
internal static class InfoCommand
{
    private static readonly string[] s_layerColumns = ["layer", "kind", "output", "weight", "parameters", "weights", "MACs"];
    private static readonly string[] s_networkColumns = ["network", "what", "input", "parameters", "MACs"];

    public static Command Create(HostConsole console)
    {
        var net = new Option<string>("--net") { Description = "network (default: list all networks)", HelpName = "net" };
        var input = new Option<string>("--input") { Description = "input size, CxHxW (default: the network's own)", HelpName = "CxHxW" };
        var classes = new Option<int?>("--classes") { Description = "number of classes (default: the network's own)", HelpName = "n" };
        var groups = new Option<bool>("--groups") { Description = "the channels and neurons that structured pruning can remove, and why others stay" };
        var file = new Argument<string?>("file")
        {
            Description = "network file: show its tensors and their size compared with dense storage",
            Arity = ArgumentArity.ZeroOrOne,
        };
        const string what = "show the layers of a network (shapes, parameters, multiply-accumulates, prunable weights) or the contents of a network file";
        var command = new Command("info", what) { file, net, input, classes, groups };
        command.SetAction(parsed =>
        {
            if (((Option[])[input, classes]).FirstOrDefault(o => parsed.GetResult(o) is { Implicit: false }) is { } idle && parsed.GetValue(net) is null)
                throw new UsageException($"{idle.Name} needs --net, the network that it is about.");
            if (parsed.GetValue(file) is not null && parsed.GetValue(net) is not null) throw new UsageException("give either a network file or --net.");
            bool ofGroups = parsed.GetValue(groups);
            if (ofGroups && parsed.GetValue(file) is null && parsed.GetValue(net) is null) throw new UsageException("--groups needs a network file or --net, the network that it is about.");
            if (parsed.GetValue(file) is { } path)
            {
                if (ofGroups) WriteGroups(console, NetworkFormats.ReadHeader(path).Network);
                else FileInfoTable.Write(console, path);
            }
            else if (parsed.GetValue(net) is { } name)
            {
                Network network = NetworkZoo.Create(name, Input(parsed.GetValue(input)), parsed.GetValue(classes));
                if (ofGroups) WriteGroups(console, network);
                else WriteLayers(console, network);
            }
            else WriteNetworks(console);
            return 0;
        });
        return command;
    }

    private static Chw? Input(string? text)
    {
        try
        {
            return text is null ? null : SettingText.Chw(text);
        }
        catch (FormatException e)
        {
            throw new UsageException($"--input '{text}' is not {e.Message}.", e);
        }
    }

    private static void WriteLayers(HostConsole console, Network network)
    {
        NetworkAnalysis analysis = NetworkAnalysis.Analyze(network);
        ConsoleTable table = console.NewTable(s_layerColumns, 4, 5, 6);
        foreach (LayerInfo layer in analysis.Layers)
            table.AddRow(layer.Name, layer.Kind, layer.Output.ToString(), layer.WeightShape?.ToString() ?? "",
                Count(layer.Parameters), Count(layer.Weights), Count(layer.Macs));
        console.Write(table);
        console.Line($"{network.Name}: input {network.Input}, {network.Classes} classes, {Format.Count(analysis.Parameters)} parameters, "
            + $"{Format.Count(analysis.Weights)} weights that can be pruned in {network.Weights.Count()} tensors, "
            + $"{Format.Count(analysis.Macs)} multiply-accumulates an image (FLOPs as papers count them).");
    }

    private static void WriteGroups(HostConsole console, Network network)
    {
        PrunableGroups found = PrunableGroups.Find(network);
        ConsoleTable table = console.NewTable(["layers that make them", "units", "read by", "structured", "ispasp"], 1);
        foreach (PrunableGroup group in found.Groups)
            table.AddRow(string.Join(", ", group.Producers.Select(p => p.Name)), Count(group.Units), string.Join(", ", group.Consumers.Select(c => c.Name)), "can go", group.StaysBecause is not { } why ? "can go" : group.IsHidden ? $"--all-blocks: {why}" : "no: " + why);
        foreach ((string layer, string reason) in found.Fixed) table.AddRow(layer, "", "", "no: " + reason, "no");
        console.Write(table);
    }

    private static void WriteNetworks(HostConsole console)
    {
        ConsoleTable table = console.NewTable(s_networkColumns, 3, 4);
        foreach (ZooEntry entry in NetworkZoo.Entries)
        {
            NetworkAnalysis analysis = NetworkAnalysis.Analyze(NetworkZoo.Create(entry.Name));
            table.AddRow(entry.Name, entry.Summary, entry.Input.ToString(),
                Count(analysis.Parameters), Count(analysis.Macs));
        }
        console.Write(table);
    }

    private static string Count(long n) => n == 0 ? "" : Format.Count(n);
}
