using System.Text.Json;

namespace Asni.Tests.Golden;

/// <summary>
/// One training step of a network, computed by PyTorch in float64 from the weights and inputs of <see cref="GoldenFormula"/>.
/// </summary>
public sealed record GoldenFile(string Network, int[] InputShape, int Classes, double LabelSmoothing, long ParameterCount, double Loss,
    double[] LogitsFirstSample, double[] EvalLogitsAfterOneTrainingForward, GoldenParameter[] Parameters)
{
    /// <summary>The files, each with the name of its network in the zoo.</summary>
    public static IEnumerable<(string File, string Zoo)> All =>
        [("lenet300", "lenet300"), ("conv6-cifar", "conv6"),
            ("vgg11-cifar", "vgg11"), ("resnet20-cifar", "resnet20"), ("resnet18", "resnet18")];

    public int Batch => InputShape[0];

    /// <summary>The L2 norm over all parameters' gradients.</summary>
    public double GradientNorm => Math.Sqrt(Parameters.Sum(p => p.GradNorm * p.GradNorm));

    private static readonly JsonSerializerOptions Options = new() { PropertyNamingPolicy = JsonNamingPolicy.SnakeCaseLower };

    public static GoldenFile Load(string file)
    {
        using Stream stream = typeof(GoldenFile).Assembly.GetManifestResourceStream($"Asni.Tests.Golden.{file}.json")!;
        return JsonSerializer.Deserialize<GoldenFile>(stream, Options)!;
    }
}

/// <param name="Index">Place among the trained parameters.</param>
/// <param name="GradNorm">L2 norm of the gradient.</param>
/// <param name="GradProbe">Sum of gradient[i] * GoldenFormula.Probe(index, i).</param>
public sealed record GoldenParameter(int Index, string Name, int[] Shape, double GradNorm, double GradProbe);
