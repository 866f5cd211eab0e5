using System.Globalization;
using Asni.Networks;
using Asni.Tensors;

namespace Asni.Bench;

/// <summary>A network as it is measured: its batch in training, and its optimizer there.</summary>
internal sealed record Case(string Net, int Batch, string Optimizer)
{
    public static readonly Case[] All =
    [
        new("lenet300", 60, "adam"), new("conv2", 60, "adam"), new("conv4", 60, "adam"), new("conv6", 60, "adam"), new("vgg16", 128, "momentum"), new("resnet20", 128, "momentum"),
        new("resnet18", 128, "momentum"), new("resnet50", 8, "momentum"), new("mobilenet_v2", 8, "momentum"),
    ];

    public Chw Input => Net is "resnet18" or "vgg16" ? new Chw(3, 32, 32) : NetworkZoo.Create(Net).Input;

    public int Classes => Net is "resnet50" or "mobilenet_v2" ? 1000 : 10;

    /// <summary>Multiply-accumulates of a dense forward pass of one image.</summary>
    public long Macs => NetworkAnalysis.Analyze(NetworkZoo.Create(Net, Input, Classes)).Macs;

    /// <summary>The options of <c>steps</c> with this batch.</summary>
    /// <param name="masks">A network file; null for the initialized network.</param>
    /// <param name="density">Share of the weights that stay, the largest by magnitude; null for all.</param>
    public string[] ToArguments(bool training, int batch, int threads, string? masks, double? density)
    {
        string[] arguments =
        [
            "--net", Net, "--input", $"{Input.Channels}x{Input.Height}x{Input.Width}", "--classes", Text(Classes), "--batch", Text(batch),
            "--optimizer", Optimizer, "--mode", training ? "train" : "infer", "--threads", Text(threads),
        ];
        if (masks is not null) arguments = [.. arguments, "--masks", masks];
        return density is { } share ? [.. arguments, "--density", share.ToString(CultureInfo.InvariantCulture)] : arguments;
    }

    private static string Text(int n) => n.ToString(CultureInfo.InvariantCulture);
}
