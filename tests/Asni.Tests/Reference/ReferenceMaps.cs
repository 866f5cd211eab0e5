using Asni.Devices;

namespace Asni.Tests.Reference;

/// <summary>The functions of <see cref="MapFunction"/> in double, each with its penalty; gradients by the formulas of their papers.</summary>
internal static class ReferenceMaps
{
    public static double Value(in ElementMap map, double own, double w, double s, double x)
    {
        x *= map.Noise;
        return map.Function switch
        {
            MapFunction.SoftThreshold => Math.Sign(w) * Math.Max(0, Math.Abs(w) - own),
            MapFunction.SignedPower => w * Math.Pow(Math.Abs(w), map.A - 1),
            MapFunction.SigmoidGate => map.B * w * Logistic(map.A * s),
            MapFunction.LinearGate => w * s,
            MapFunction.HardConcrete => w * Math.Clamp(1.2 * Logistic((x + s) / map.A) - 0.1, 0, 1),
            MapFunction.GaussianNoise => w + Math.Exp(s / 2) * x,
            MapFunction.NoiseThreshold => LogAlpha(w, s) > map.A ? 0 : w,
            _ => throw new ArgumentOutOfRangeException(nameof(map), map.Function, null),
        };
    }

    /// <summary>What is added to the loss, without its factor.</summary>
    public static double Penalty(in ElementMap map, double w, double s) => map.Function switch
    {
        MapFunction.SigmoidGate => Logistic(map.A * s),
        MapFunction.LinearGate => Math.Abs(s),
        MapFunction.HardConcrete => Logistic(s - map.B),
        MapFunction.GaussianNoise => Divergence(Math.Clamp(LogAlpha(w, s), -8, 8)),
        _ => 0,
    };

    /// <summary>Derivatives of d f + penalty by central differences.</summary>
    public static (double Weight, double Gate) Gradients(in ElementMap map, double own, double w, double s, double x, double d)
    {
        ElementMap of = map;
        // A piecewise linear function may have a corner close by.
        double step = map.Function is MapFunction.SoftThreshold or MapFunction.LinearGate ? 1e-8 : 1e-6;
        if (map.Function == MapFunction.SoftThreshold) return (Slope(h => d * Value(of, own, w + h, s, x)), Slope(h => d * Value(of, own - h, w, s, x)));
        return (Slope(h => d * Value(of, own, w + h, s, x) + of.Penalty * Penalty(of, w + h, s)), Slope(h => d * Value(of, own, w, s + h, x) + of.Penalty * Penalty(of, w, s + h)));

        double Slope(Func<double, double> f) => (f(step) - f(-step)) / (2 * step);
    }

    /// <summary>KL divergence of variational dropout (Molchanov et al. 2017, arXiv 1701.05369, equation 14).</summary>
    public static double Divergence(double logAlpha) => 0.63576 - 0.63576 * Logistic(1.8732 + 1.48695 * logAlpha) + 0.5 * Math.Log(1 + Math.Exp(-logAlpha));

    public static double Logistic(double y) => 1 / (1 + Math.Exp(-y));

    private static double LogAlpha(double w, double s) => s - Math.Log(w * w + 1e-8);
}
