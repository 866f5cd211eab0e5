using System.CommandLine;
using Asni.Formats;
using Asni.Networks;
using Asni.Reports;

namespace Asni.Host.Commands;

/// <summary>asni verify: counts what a network file really holds.</summary>
internal static class VerifyCommand
{
    private static readonly string[] s_columns = ["counted", "elements", "live", "sparsity"];

    public static Command Create(HostConsole console)
    {
        var file = new Argument<string>("file") { Description = "network file; files of PyTorch and other programs need --net" };
        var weights = new WeightFile();
        var command = new Command("verify", "check a network file: zeros, counts, FLOPs, masks against weights, checksums") { file };
        weights.AddTo(command);
        command.SetAction(parsed =>
        {
            // Reading checks lengths, layout, checksum, names and shapes.
            StoredNetwork stored = weights.Read(parsed, parsed.GetValue(file)!, console);
            return Verify(console, stored);
        });
        return command;
    }

    private static int Verify(HostConsole console, StoredNetwork stored)
    {
        Network network = stored.Trained.Network;
        Verification v = Verification.Verify(stored.Trained);
        console.Line($"{stored.Phase} of {network.Name}, input {network.Input}, {network.Classes} classes: "
            + "the file is complete and its tensors match the network.");
        ConsoleTable table = console.NewTable(s_columns, 1, 2, 3);
        void Row(string what, LiveCount count) =>
            table.AddRow(what, Format.Count(count.Elements), Format.Count(count.Live),
                Format.Percent(count.Sparsity));
        Row("weights", v.Weights);
        Row("weights without the last layer", v.WithoutHead);
        Row("weights and biases", v.WithBiases);
        Row("all parameters, batch-norm too", v.AllTrained);
        Row("weights on a path of live ones", v.Effective);
        Row("multiply-accumulates an image", new LiveCount(v.Macs, v.LiveMacs));
        console.Write(table);
        if (v.LiveZeros > 0) console.Line($"{Format.Count(v.LiveZeros)} live weights are 0.");
        if (v.ZerosWithoutMask > 0) console.Line($"{Format.Count(v.ZerosWithoutMask)} weights are 0 in tensors without a mask: they count as live.");
        foreach (var p in network.Parameters.Where(p => stored.Trained.Values[p.Index].Any(x => !float.IsFinite(x)))) console.Line($"{p.Name} holds values that are NaN or infinite.");
        foreach (string layer in v.EmptyLayers) console.Line($"{layer} has no live weight.");
        string[] faults = [.. v.Faults()];
        if (faults.Length > 0) throw new AsniException($"{stored.Path} is not sound: {string.Join(", ", faults)}.");
        console.Line($"sound: all {Format.Count(v.AllTrained.Elements - v.AllTrained.Live)} pruned weights are 0, every value is finite.");
        return 0;
    }
}
