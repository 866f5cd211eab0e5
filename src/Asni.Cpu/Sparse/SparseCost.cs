using Asni.Devices;

namespace Asni.Cpu.Sparse;

/// <summary>
/// What passes cost in cycles of one core, to choose between dense and sparse. Fixed numbers, measured with AVX-512 (the density sweep of
/// docs/performance.md), and not a timing at run time: equal runs must take equal paths to give equal bits.
/// </summary>
internal static class SparseCost
{
    /// <summary>A tap against a vector that comes from the first cache, the second, or lies across cache lines.</summary>
    public const double Blocked = 0.95, Product = 1.2, Unaligned = 1.5;

    /// <summary>The same for a gradient.</summary>
    public const double Gradient = 1.35;

    /// <summary>An entry of an unrolled matrix, besides its vectors: its weight lies somewhere in a large filter.</summary>
    public const double Entry = 8;

    /// <summary>Turning an element when lanes are samples, or positions.</summary>
    public const double TurnSamples = 1.4, TurnPositions = 0.8;

    /// <summary>The dense product: multiply-adds a cycle with vectors of 16; fewer where output channels do not fill a register tile.</summary>
    public static double Dense(in ConvolutionSpec spec, int batch)
    {
        int outputs = spec.Filter.Out / spec.Groups;
        double rate = outputs < 32 ? 22 : 28;
        return (double)spec.Macs * batch / (rate * Simd.Width / 512);
    }
}
