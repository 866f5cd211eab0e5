using System.CommandLine;
using Asni.Engine;
using Asni.Formats;
using Asni.Networks;
using Asni.Pruning;

namespace Asni.Host.Commands;

/// <summary>asni compact: takes units out of a network file that nothing feeds or nobody reads.</summary>
internal static class CompactCommand
{
    public static Command Create(HostConsole console)
    {
        var file = new Argument<string>("file") { Description = "network file written by asni" };
        var output = new Option<string>("--out") { Description = "file to write (default FILE.compact.safetensors)", HelpName = "file" };
        var command = new Command("compact", "remove channels and neurons that pruning has disconnected: a smaller network with the same logits") { file, output };
        command.SetAction(parsed =>
        {
            string path = parsed.GetValue(file)!;
            StoredNetwork stored = NetworkFormats.Read(path).RequireFinite();
            Network network = stored.Trained.Network;
            TrainedNetwork small = DeadUnits.Remove(stored.Trained);
            string to = parsed.GetValue(output) ?? Path.ChangeExtension(path, null) + ".compact.safetensors";
            if (Path.GetFullPath(to) == Path.GetFullPath(path)) throw new UsageException($"{to} is the file that is read; --out must name another file.");
            NetworkFile.Write(to, small, stored.Phase);
            console.Line($"{Format.Count(network.ParameterCount)} parameters became {Format.Count(small.Network.ParameterCount)}, "
                + $"{Format.Count(NetworkAnalysis.Analyze(network).Macs)} multiply-accumulates {Format.Count(NetworkAnalysis.Analyze(small.Network).Macs)}: {to}");
            return 0;
        });
        return command;
    }
}
