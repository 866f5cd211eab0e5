namespace Asni.Devices;

/// <summary>
/// A function v = f(w, s) by which a network computes with v while w and its gate s are trained, element by element. P(y) = 1 / (1 + exp(-y)), x is the
/// number in <see cref="ParameterSlot.Score"/>, a and b are of the <see cref="ElementMap"/>, and t is a number of the parameter.
/// </summary>
internal enum MapFunction
{
    /// <summary>v = sign(w) max(0, |w| - t). The gradient of the gate is that of -t.</summary>
    SoftThreshold,
    /// <summary>v = w |w|^(a - 1), a at least 1.</summary>
    SignedPower,
    /// <summary>v = b w P(a s). Penalty: P(a s).</summary>
    SigmoidGate,
    /// <summary>v = w s. Penalty: |s|.</summary>
    LinearGate,
    /// <summary>v = w min(1, max(0, 1.2 P((x + s) / a) - 0.1)). Penalty: P(s - b).</summary>
    HardConcrete,
    /// <summary>v = w + exp(s / 2) x. Penalty: KL of log alpha = s - log(w^2 + 1e-8), limited to +-8 (Molchanov et al. 2017, arXiv 1701.05369, equation 14).</summary>
    GaussianNoise,
    /// <summary>v = w where log alpha &lt;= a, else 0. Has no gradient.</summary>
    NoiseThreshold,
}

/// <summary>A function of weights and gates with its numbers.</summary>
/// <param name="Penalty">Factor of the penalty in the gradients.</param>
/// <param name="Noise">Factor of x; 0: x is not read.</param>
internal readonly record struct ElementMap(MapFunction Function, float A = 0, float B = 0, float Penalty = 0, float Noise = 0)
{
    /// <summary>Whether v depends on s.</summary>
    public bool ReadsGate => Function is not (MapFunction.SoftThreshold or MapFunction.SignedPower);

    /// <summary>Whether there is a gradient of s.</summary>
    public bool HasGateGradient => Function is not (MapFunction.SignedPower or MapFunction.NoiseThreshold);

    /// <summary>Whether parameters have a number of their own, t.</summary>
    public bool HasOwnNumbers => Function == MapFunction.SoftThreshold;
}
