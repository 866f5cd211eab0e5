using System.CommandLine;
using Asni.Formats;
using Asni.Formats.Amenable;
using Asni.Formats.Onnx;

namespace Asni.Host.Commands;

/// <summary>asni export: a network of a run in the format of another program.</summary>
internal static class ExportCommand
{
    private static readonly string[] s_formats = ["onnx", "safetensors", "asni"];

    public static Command Create(HostConsole console)
    {
        var file = new Argument<string?>("file") { Description = "network file; or --run names a folder", Arity = ArgumentArity.ZeroOrOne };
        var run = new Option<string>("--run") { Description = "run folder", HelpName = "dir" };
        var phase = new Option<string>("--phase") { Description = "network of the folder: asni2, asni1, dense, ... (default: the first of these that is there)", HelpName = "phase" };
        var to = new Option<string>("--to") { Description = "onnx, safetensors, asni", HelpName = "format", Required = true };
        var output = new Option<string>("--out") { Description = "file to write (default: beside the network, with the format's extension)", HelpName = "file" };
        var keepNorm = new Option<bool>("--keep-batch-norm") { Description = "onnx: batch-norm as layers of its own, not folded into the weights" };
        var sparse = new Option<bool>("--sparse") { Description = "onnx: pruned weights as sparse initializers where that is smaller" };
        var half = new Option<bool>("--half") { Description = "asni: live weights as 16-bit floats" };
        var command = new Command("export", "write a network for other programs") { file, run, phase, to, output, keepNorm, sparse, half };
        command.SetAction(parsed =>
        {
            string format = parsed.GetValue(to)!;
            if (!s_formats.Contains(format)) throw new UsageException($"--to '{format}' is not one of {string.Join(", ", s_formats)}{Suggestion.For(format, s_formats)}.");
            if (format != "onnx" && (parsed.GetValue(keepNorm) || parsed.GetValue(sparse))) throw new UsageException("--keep-batch-norm and --sparse are for --to onnx.");
            if (format != "asni" && parsed.GetValue(half)) throw new UsageException("--half is for --to asni.");
            string source = Source(parsed.GetValue(file), parsed.GetValue(run), parsed.GetValue(phase));
            string target = parsed.GetValue(output) ?? Path.ChangeExtension(source, format);
            if (Path.GetFullPath(target) == Path.GetFullPath(source)) throw new UsageException($"{target} is the network itself; --out names another file.");
            Write(console, StoredNetwork.Read(source), target, format, new OnnxOptions(parsed.GetValue(keepNorm), parsed.GetValue(sparse)), parsed.GetValue(half));
            return 0;
        });
        return command;
    }

    private static string Source(string? file, string? run, string? phase)
    {
        if (file is null == run is null) throw new UsageException("give either a network file or --run DIR.");
        if (run is not null) return RunNetworks.PathOf(run, phase);
        return phase is null ? file! : throw new UsageException("--phase goes with --run.");
    }

    private static void Write(HostConsole console, StoredNetwork stored, string target, string format, OnnxOptions options, bool half)
    {
        string phase = stored.Header.Phase;
        switch (format)
        {
            case "onnx":
                OnnxFile.Write(target, stored.Network, stored.Weights, phase, options);
                break;
            case "asni":
                AsniFile.Write(target, stored.Network, stored.Weights, phase, half);
                break;
            default:
                NetworkFile.Write(target, stored.Network, stored.Weights, phase);
                break;
        }
        console.Line($"{phase} of {stored.Network.Name} written to {target}: {Show.Bytes(new FileInfo(target).Length)} "
            + $"(dense 32-bit floats: {Show.Bytes(sizeof(float) * stored.Network.Parameters.Sum(p => p.Elements))}).");
    }
}
