using System.CommandLine;
using Asni.Formats;
using Asni.Formats.Amenable;
using Asni.Formats.Onnx;
using Asni.Runs;

namespace Asni.Host.Commands;

/// <summary>asni export: a network of a run in the format of another program.</summary>
internal static class ExportCommand
{
    private static readonly string[] s_formats = ["onnx", "safetensors", "asni"];

    public static Command Create(HostConsole console)
    {
        var file = RunOptions.File();
        var run = RunOptions.Run();
        var phase = RunOptions.Phase();
        var to = new Option<string>("--to") { Description = "onnx, safetensors, asni", HelpName = "format", Required = true };
        var output = new Option<string>("--out")
        {
            Description = "file to write (default: beside the network, with the format's extension)",
            HelpName = "file",
        };
        var keepNorm = new Option<bool>("--keep-batch-norm") { Description = "onnx: keep batch normalization as separate layers instead of folding it into the weights" };
        var sparse = new Option<bool>("--sparse") { Description = "onnx: store pruned weights as sparse initializers where that is smaller" };
        var weights = new WeightFile();
        var half = new Option<bool>("--half") { Description = "asni: store live weights as 16-bit floats" };
        var command = new Command("export", "convert a network to ONNX, safetensors or .asni") { file, run, phase, to, output, keepNorm, sparse, half };
        weights.AddTo(command);
        command.SetAction(parsed =>
        {
            string format = parsed.GetValue(to)!;
            var onnx = new OnnxOptions(parsed.GetValue(keepNorm), parsed.GetValue(sparse));
            Check(format, onnx, parsed.GetValue(half));
            string source = Source(parsed.GetValue(file), parsed.GetValue(run), parsed.GetValue(phase));
            // FILE.pt becomes FILE.onnx.
            string target = parsed.GetValue(output) ?? Path.ChangeExtension(source, format);
            if (Path.GetFullPath(target) == Path.GetFullPath(source))
                throw new UsageException($"{target} is the file that is read; --out must name another file.");
            if (parsed.GetValue(run) is not null) weights.RequireNone(parsed);
            StoredNetwork network = weights.Read(parsed, source, console).RequireFinite();
            Write(console, network, target, format, onnx, parsed.GetValue(half));
            return 0;
        });
        return command;
    }

    private static void Check(string format, OnnxOptions onnx, bool half)
    {
        if (!s_formats.Contains(format))
            throw new UsageException($"--to '{format}' is not one of {string.Join(", ", s_formats)}{Suggestion.For(format, s_formats)}.");
        if (format != "onnx" && onnx != new OnnxOptions()) throw new UsageException("--keep-batch-norm and --sparse are for --to onnx.");
        if (format != "asni" && half) throw new UsageException("--half is for --to asni.");
    }

    private static string Source(string? file, string? run, string? phase)
    {
        if (file is null == run is null) throw new UsageException("give either a network file or --run DIR.");
        if (run is not null) return RunFolder.NetworkPath(run, phase);
        return phase is null ? file! : throw new UsageException("--phase goes with --run.");
    }

    private static void Write(HostConsole console, StoredNetwork stored, string target, string format, OnnxOptions options, bool half)
    {
        string phase = stored.Phase;
        switch (format)
        {
            case "onnx":
                OnnxFile.Write(target, stored.Trained, phase, options);
                break;
            case "asni":
                AsniFile.Write(target, stored.Trained, phase, half);
                break;
            default:
                NetworkFile.Write(target, stored.Trained, phase);
                break;
        }
        console.Line($"{phase} of {stored.Trained.Network.Name} written to {target}: {Format.Bytes(new FileInfo(target).Length)} "
            + $"(dense 32-bit floats: {Format.Bytes(sizeof(float) * stored.Trained.Network.Parameters.Sum(p => p.Elements))}).");
    }
}
