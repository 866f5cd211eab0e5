using Asni.Tensors;

namespace Asni.Bench;

/// <summary>
/// Checks of what a benchmark computes, made before it is timed. A wrong answer stops that benchmark, and its sentence is told again at the end
/// of the program, which then fails.
/// </summary>
internal static class Answers
{
    private static readonly List<string> s_wrong = [];

    /// <summary>One sentence for each wrong answer so far.</summary>
    public static IReadOnlyCollection<string> Wrong => s_wrong;

    /// <param name="what">What was computed: the operation and its layer or network.</param>
    /// <param name="tolerance">Largest difference that rounding explains.</param>
    /// <exception cref="AsniException">The two differ by more, or one is NaN.</exception>
    public static void Near(double computed, double expected, double tolerance, string what)
    {
        if (Math.Abs(computed - expected) <= tolerance) return;
        string sentence = FormattableString.Invariant($"{what} is wrong: {computed:g9}, expected {expected:g9}.");
        if (!s_wrong.Contains(sentence)) s_wrong.Add(sentence);
        throw new AsniException(sentence);
    }

    /// <summary>Uniform values in [-1, 1).</summary>
    public static float[] Random(long count, ulong seed)
    {
        var random = new SplitMix64(seed);
        var values = new float[count];
        for (int i = 0; i < values.Length; i++) values[i] = 2 * random.NextSingle() - 1;
        return values;
    }

    /// <summary>Inner product in double.</summary>
    public static double Dot(ReadOnlySpan<float> a, ReadOnlySpan<float> b)
    {
        double sum = 0;
        for (int i = 0; i < a.Length; i++) sum += (double)a[i] * b[i];
        return sum;
    }
}
