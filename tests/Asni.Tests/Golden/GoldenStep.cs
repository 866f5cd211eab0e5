using System.Reflection;
using System.Text.Json;
using Asni.Networks;
using Asni.Tensors;

namespace Asni.Tests.Golden;

/// <summary>
/// One training step of a network as PyTorch computed it in float64. Weights, inputs and labels come from <see cref="Value"/>, so that the
/// files hold results only; their names are PyTorch's.
/// </summary>
internal sealed record GoldenStep(string Network, int[] InputShape, int Classes, float LabelSmoothing, long ParameterCount, double Loss,
    double[] LogitsFirstSample, double[] EvalLogitsAfterOneTrainingForward, GoldenParameter[] Parameters)
{
    private const ulong InputSeed = 7;
    private static readonly JsonSerializerOptions Options = new() { PropertyNamingPolicy = JsonNamingPolicy.SnakeCaseLower };

    public int Batch => InputShape[0];
    public Chw Input => new(InputShape[1], InputShape[2], InputShape[3]);
    public int[] Labels => [.. Enumerable.Range(0, Batch).Select(n => (7 * n + 3) % Classes)];
    public float[] Pixels => [.. Enumerable.Range(0, Batch * Input.Elements).Select(i => (float)Value(InputSeed, i))];

    /// <summary>The L2 norm over all parameters' gradients.</summary>
    public double GradientNorm => Math.Sqrt(Parameters.Sum(p => p.GradNorm * p.GradNorm));

    /// <param name="file">Name without extension: "lenet300", "resnet20-cifar", ...</param>
    public static GoldenStep Load(string file)
    {
        using Stream stream = Assembly.GetExecutingAssembly().GetManifestResourceStream(file + ".json")
            ?? throw new FileNotFoundException($"no golden numbers '{file}' are embedded");
        return JsonSerializer.Deserialize<GoldenStep>(stream, Options)!;
    }

    public Network CreateNetwork() => NetworkZoo.Create(Network.Replace("-cifar", ""), Input, Classes);

    /// <summary>Initial values of a parameter; <paramref name="index"/> is its place among the trained ones, PyTorch's parameters().</summary>
    public static float[] InitialValues(Parameter parameter, int index)
    {
        Func<double, double> map = parameter.Kind switch
        {
            ParameterKind.Weight => v => v * Math.Sqrt(6.0 / parameter.Filter.FanIn),
            ParameterKind.Bias => v => 0.05 * v,
            ParameterKind.NormWeight => v => 1 + 0.2 * v,
            ParameterKind.NormBias => v => 0.2 * v,
            ParameterKind.RunningMean => _ => 0,
            ParameterKind.RunningVariance => _ => 1,
            _ => throw new ArgumentOutOfRangeException(nameof(parameter)),
        };
        var values = new float[parameter.Elements];
        for (int i = 0; i < values.Length; i++) values[i] = (float)map(Value(1000 + (ulong)index, i));
        return values;
    }

    /// <summary>Sum of the gradient's elements in a pseudo-random direction.</summary>
    public static double Probe(float[] gradient, int index)
    {
        double sum = 0;
        for (int i = 0; i < gradient.Length; i++) sum += gradient[i] * Value(5000 + (ulong)index, i);
        return sum;
    }

    /// <summary>SplitMix64's output number <paramref name="i"/> for a seed, as a number in [-1, 1) of 24 bits.</summary>
    public static double Value(ulong seed, long i)
    {
        const ulong gamma = 0x9E3779B97F4A7C15;
        ulong bits = new SplitMix64(unchecked(seed * gamma + (ulong)i)).NextUInt64();
        return 2 * ((bits >> 40) / (double)(1 << 24)) - 1;
    }
}

internal sealed record GoldenParameter(int Index, string Name, int[] Shape, double GradNorm, double GradProbe);
