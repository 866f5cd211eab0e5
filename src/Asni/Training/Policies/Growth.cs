using Asni.Pruning;
using Asni.Tensors;

namespace Asni.Training.Policies;

/// <summary>Which dead weights come alive: those of largest score.</summary>
/// <param name="Score">By the number of steps done in the phase.</param>
/// <param name="NeedsDenseGradient">The score reads gradients of pruned weights.</param>
internal sealed record Growth(Func<long, IScore> Score, bool NeedsDenseGradient)
{
    private const ulong Purpose = 10;

    /// <summary>By |g|, the gradient of the step's own batch.</summary>
    public static Growth ByGradient { get; } = new(_ => new GradientMagnitude(), NeedsDenseGradient: true);

    /// <summary>By random numbers, a pure function of seed, step, parameter and element.</summary>
    public static Growth AtRandom(ulong seed) => new(step => new RandomScore(SplitMix64.Fork(seed, Purpose, (ulong)step).NextUInt64()), NeedsDenseGradient: false);
}

/// <summary>
/// Share of a layer's live weights that an exchange moves: f(t) = f1 + (f0 - f1) (1 + cos(pi t / T)) / 2 up to step T, then f1 (Dettmers, Zettlemoyer 2019, arXiv 1907.04840;
/// Evci et al. 2020, arXiv 1911.11134, equation 1, with f1 = 0).
/// </summary>
internal sealed record ExchangeFraction(double Initial, double Final, long Steps)
{
    public static ExchangeFraction Constant(double fraction) => new(fraction, fraction, 1);

    /// <param name="done">t, steps done.</param>
    public double At(long done) => done >= Steps ? Final : Final + (Initial - Final) * (1 + Math.Cos(Math.PI * done / Steps)) / 2;
}
