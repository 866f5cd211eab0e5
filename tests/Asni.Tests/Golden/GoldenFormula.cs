using Asni.Networks;

namespace Asni.Tests.Golden;

/// <summary>
/// The weights, inputs and labels of the golden steps: numbers from a formula, so that PyTorch and Asni start from the same without a
/// file.
/// </summary>
public static class GoldenFormula
{
    private const ulong Gamma = 0x9E3779B97F4A7C15;

    /// <summary>Uniform in [-1, 1): element <paramref name="i"/> of stream <paramref name="seed"/>.</summary>
    public static double Value(ulong seed, long i)
    {
        ulong a = unchecked(seed * Gamma + (ulong)i + Gamma);
        a = unchecked((a ^ (a >> 30)) * 0xBF58476D1CE4E5B9);
        a = unchecked((a ^ (a >> 27)) * 0x94D049BB133111EB);
        ulong z = a ^ (a >> 31);
        return 2 * ((z >> 40) / (double)(1 << 24)) - 1;
    }

    /// <summary>Element <paramref name="i"/> of the input batch, in NCHW order.</summary>
    public static double Input(long i) => Value(7, i);

    public static int Label(int sample, int classes) => (7 * sample + 3) % classes;

    /// <summary>What a gradient's element is multiplied by in its probe sum.</summary>
    public static double Probe(int index, long i) => Value(5000 + (ulong)index, i);

    /// <summary>All values of a parameter in PyTorch's order; running means are 0 and variances 1.</summary>
    /// <param name="index">Its place among the trained parameters, as golden files count.</param>
    public static float[] Fill(Parameter parameter, int index)
    {
        (double offset, double scale) = parameter.Kind switch
        {
            ParameterKind.Weight => (0, Math.Sqrt(6.0 / parameter.Filter.FanIn)),
            ParameterKind.Bias => (0, 0.05),
            ParameterKind.NormWeight => (1, 0.2),
            ParameterKind.NormBias => (0, 0.2),
            ParameterKind.RunningVariance => (1, 0.0),
            _ => (0, 0),
        };
        var values = new float[parameter.Elements];
        for (int i = 0; i < values.Length; i++) values[i] = (float)(offset + scale * Value(1000 + (ulong)index, i));
        return values;
    }
}
