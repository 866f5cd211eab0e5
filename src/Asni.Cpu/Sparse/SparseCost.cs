using Asni.Cpu.Convolution;
using Asni.Devices;

namespace Asni.Cpu.Sparse;

/// <summary>
/// What passes cost in cycles of one core, to choose between dense and sparse. Fixed numbers, measured with AVX-512 (the density sweep of
/// docs/performance.md) on a processor that does whole vectors at once and on one that splits them, and not a timing at run time: equal runs
/// must take equal paths to give equal bits.
/// </summary>
internal static class SparseCost
{
    /// <summary>A tap against a vector that comes from the first cache, the second, or lies across cache lines.</summary>
    public static double Blocked { get; } = Simd.SplitsVectors ? 1.45 : 0.95;
    public static double Product { get; } = Simd.SplitsVectors ? 2.2 : 1.2;
    public static double Unaligned { get; } = Simd.SplitsVectors ? 2.4 : 1.5;

    /// <summary>The same for a gradient.</summary>
    public static double Gradient { get; } = Simd.SplitsVectors ? 2.6 : 1.35;

    /// <summary>An entry of an unrolled matrix, besides its vectors: its weight lies somewhere in the filter, which the second cache holds or not.</summary>
    public static double Entry(in ConvolutionSpec spec) => (long)spec.Filter.Out * spec.Filter.FanIn <= 128 * 1024 ? 2 : 6;

    /// <summary>Turning an element when lanes are samples, or positions.</summary>
    public static double TurnSamples { get; } = Simd.SplitsVectors ? 1.8 : 0.8;
    public static double TurnPositions { get; } = Simd.SplitsVectors ? 1.8 : 0.8;

    /// <summary>The dense path of a forward pass or data gradient.</summary>
    public static double Dense(in ConvolutionSpec spec, int batch)
    {
        double direct = Direct(spec, batch);
        return Winograd.Suits(spec) ? Math.Min(direct, Winograd.Cost(spec, batch) * 512 / Simd.WorkingWidth) : direct;
    }

    /// <summary>The dense path of a weight gradient.</summary>
    public static double DenseGradient(in ConvolutionSpec spec, int batch, int workers)
    {
        double direct = Direct(spec, batch);
        return Winograd.Suits(spec) ? Math.Min(direct, Winograd.GradientCost(spec, batch, workers) * 512 / Simd.WorkingWidth) : direct;
    }

    /// <summary>
    /// The direct product: multiply-adds a cycle with vectors of 16; fewer where output channels do not fill a register tile. It leaves out rows and
    /// columns of the filter that meet nothing but padding.
    /// </summary>
    public static double Direct(in ConvolutionSpec spec, int batch)
    {
        int outputs = spec.Filter.Out / spec.Groups;
        double rate = outputs < 32 ? 22 : 28;
        double used = Meeting(spec.Filter.Height, spec.Input.Height, spec.Output.Height, spec)
            * Meeting(spec.Filter.Width, spec.Input.Width, spec.Output.Width, spec);
        return spec.Macs * used * batch / (rate * Simd.WorkingWidth / 512);
    }

    /// <summary>The share of a filter's rows (or columns) that meet the input at some output.</summary>
    private static double Meeting(int taps, int input, int outputs, in ConvolutionSpec spec)
    {
        int meeting = 0;
        for (int k = 0; k < taps; k++)
            for (int o = 0; o < outputs; o++)
            {
                int at = o * spec.Stride + k - spec.Padding;
                if (at < 0 || at >= input) continue;
                meeting++;
                break;
            }
        return (double)meeting / taps;
    }
}
