using System.Collections.Immutable;

namespace Asni.Networks;

/// <summary>An activation function, element by element. <see cref="None"/> is what an operation fuses that is followed by none.</summary>
public enum Activation { None, Relu, Relu6, Silu, Gelu }

/// <summary>What graphs, plans and files know of an activation function; devices have their own definitions.</summary>
/// <param name="Name">Of the operation in files.</param>
/// <param name="IsPiecewiseLinear">
/// Devices fuse it into the operation before it, and differentiate it from what it puts out. Any other is a step of its own, differentiated from what it reads.
/// </param>
/// <param name="Value">The function.</param>
internal sealed record ActivationFunction(Activation Kind, string Name, bool IsPiecewiseLinear, Func<double, double> Value)
{
    /// <summary>One row an activation.</summary>
    public static ImmutableArray<ActivationFunction> All { get; } =
    [
        new(Activation.Relu, "relu", true, x => Math.Max(x, 0)),
        new(Activation.Relu6, "relu6", true, x => Math.Clamp(x, 0, 6)),
        new(Activation.Silu, "silu", false, x => x / (1 + Math.Exp(-x))),
        new(Activation.Gelu, "gelu", false, x => x * (1 + Erf(x / Math.Sqrt(2))) / 2),
    ];

    /// <exception cref="ArgumentOutOfRangeException">It has no row: <see cref="Activation.None"/>, or no activation.</exception>
    public static ActivationFunction Get(Activation activation) =>
        All.FirstOrDefault(f => f.Kind == activation) ?? throw new ArgumentOutOfRangeException(nameof(activation), activation, "not an activation function");

    /// <summary>Whether operations take it in.</summary>
    public static bool IsFused(Activation activation) => activation == Activation.None || Get(activation).IsPiecewiseLinear;

    /// <summary>Null when none has this name.</summary>
    public static ActivationFunction? Named(string name) => All.FirstOrDefault(f => f.Name == name);

    /// <summary>The error function, to 1e-15: 2 / sqrt(pi) exp(-x^2) times the sum of 2^n x^(2n+1) / (1 * 3 * ... * (2n+1)), whose terms have one sign.</summary>
    internal static double Erf(double x)
    {
        if (!(Math.Abs(x) <= 6)) return double.IsNaN(x) ? x : Math.Sign(x);
        double term = x, sum = 0;
        for (int n = 1; sum + term != sum; n++)
        {
            sum += term;
            term *= 2 * x * x / (2 * n + 1);
        }
        return 2 / Math.Sqrt(Math.PI) * Math.Exp(-x * x) * sum;
    }
}
