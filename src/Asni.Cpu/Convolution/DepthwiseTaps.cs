namespace Asni.Cpu.Convolution;

/// <summary>
/// One axis of a depthwise pass: target places q = 0, 1, ..., each of which reads source place q * <see cref="Step"/> + shift for each of its taps. A forward pass is one such
/// axis; the data gradient of a convolution with stride s has s, one for each remainder of the place.
/// </summary>
internal sealed class DepthwiseAxis
{
    private readonly int[] _shifts, _taps;

    /// <param name="places">Of the target, of this remainder.</param>
    /// <param name="source">Places of the source: what lies outside is not read.</param>
    private DepthwiseAxis(int places, int origin, int targetStep, int step, int source, int[] shifts, int[] taps)
    {
        (Places, Origin, TargetStep, Step, Source, _shifts, _taps) = (places, origin, targetStep, step, source, shifts, taps);
        int low = 0, high = places;
        while (low < high && Count(low) < taps.Length) low++;
        while (high > low && Count(high - 1) < taps.Length) high--;
        (WholeFrom, WholeTo) = (low, high);
    }

    public int Places { get; }
    public int Source { get; }

    /// <summary>Source places from one target place to the next.</summary>
    public int Step { get; }

    /// <summary>Where the first place lies in the target, and how far it is to the next.</summary>
    public int Origin { get; }
    public int TargetStep { get; }

    /// <summary>Places that read all taps.</summary>
    public int WholeFrom { get; }
    public int WholeTo { get; }

    /// <summary>The taps that a place reads, from the filter's first on: how far from q * <see cref="Step"/> they read, and their numbers.</summary>
    /// <returns>How many they are.</returns>
    public int Read(int place, Span<(int Shift, int Tap)> to)
    {
        int count = 0;
        for (int t = 0; t < _taps.Length; t++)
            if ((uint)(place * Step + _shifts[t]) < (uint)Source) to[count++] = (_shifts[t], _taps[t]);
        return count;
    }

    public static DepthwiseAxis Forward(int source, int target, int kernel, int stride, int padding)
    {
        int[] taps = [.. Enumerable.Range(0, kernel)];
        return new DepthwiseAxis(target, 0, 1, stride, source, [.. taps.Select(k => k - padding)], taps);
    }

    /// <summary>dx(i) sums dy(o) w(k) over o * stride + k = i + padding.</summary>
    public static DepthwiseAxis[] Backward(int input, int output, int kernel, int stride, int padding) =>
        [.. Enumerable.Range(0, Math.Min(stride, input)).Select(remainder =>
        {
            int[] taps = [.. Enumerable.Range(0, kernel).Where(k => (remainder + padding - k) % stride == 0)];
            return new DepthwiseAxis((input - remainder + stride - 1) / stride, remainder, stride, 1, output, [.. taps.Select(k => (remainder + padding - k) / stride)], taps);
        })];

    private int Count(int place) => _shifts.Count(s => (uint)(place * Step + s) < (uint)Source);
}

/// <summary>A tap of a filter of each channel: where what it multiplies lies, from a position's own place on, and its values.</summary>
internal readonly unsafe struct DepthwiseTap(nint offset, float* values)
{
    public readonly nint Offset = offset;
    public readonly float* Values = values;
}
