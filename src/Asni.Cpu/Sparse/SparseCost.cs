using Asni.Cpu.Convolution;
using Asni.Devices;

namespace Asni.Cpu.Sparse;

/// <summary>
/// What passes cost in cycles of one core, to choose between dense and sparse. Fixed numbers, measured (the density sweep of docs/performance.md, `layers` of
/// bench/Asni.Bench) on a processor that does 512-bit vectors at once, on one that splits them, and on one that has only 256 bits, and not a timing at run
/// time: equal runs must take equal paths to give equal bits.
/// </summary>
internal static class SparseCost
{
    /// <summary>A tap against a vector that comes from the first cache, the second, or lies across cache lines.</summary>
    public static double Blocked { get; } = On(0.95, 1.45, 1);
    public static double Product { get; } = On(1.2, 2.2, 1.8);
    public static double UnalignedProduct { get; } = On(1.5, 2.4, 1.2);

    /// <summary>The same for the entries of an unrolled matrix, whose lists see blocks of partners.</summary>
    public static double Unrolled { get; } = On(1.2, 2.2, 1.2);

    /// <summary>The same for a gradient: of an unrolled matrix, of blocks of samples, and of rows.</summary>
    public static double Gradient { get; } = On(1.35, 2.6, 1.4);
    public static double BlockedGradient { get; } = On(1.2, 2.3, 1);
    public static double UnalignedGradient { get; } = On(1.7, 2.8, 1.05);

    /// <summary>A tap's gradient on a block, besides its vectors: they are added up across lanes, and to what came before.</summary>
    public static double Dot { get; } = On(0, 0, 5);

    /// <summary>Vectors of a tile of eight that cost as much as a tile of four, or of one, whose sums wait for each other.</summary>
    public const double TileOfFour = 5.4, TileOfOne = 3.2;

    /// <summary>A list's start on a tile, where that is not in the cost of its vectors.</summary>
    public const double Start = 20;

    /// <summary>A tap's value, fetched anew in each step of training from a filter that second caches hold or do not.</summary>
    public static double Refresh(in ConvolutionSpec spec) => !spec.Training ? 0 : AreCached((double)spec.Filter.Out * spec.Filter.FanIn) ? 4 : 13;

    /// <summary>An entry of an unrolled matrix, besides its vectors: its weight lies somewhere in the filter, which the second cache holds or not.</summary>
    public static double Entry(in ConvolutionSpec spec) => (long)spec.Filter.Out * spec.Filter.FanIn <= 128 * 1024 ? 2 : 6;

    /// <summary>
    /// Weights of the direct product, besides their multiply-adds. In a step of training they are packed, and their gradients put down, in second caches or beyond them; in
    /// inference they were packed before, and are read.
    /// </summary>
    private static double Packed(in ConvolutionSpec spec, double weights) =>
        weights * (AreCached(weights) ? On(0, 0, spec.Training ? 0.8 : 0.1) : On(0, 0, spec.Training ? 3 : 0.4));

    /// <summary>Whether second caches hold the weights and a copy of them.</summary>
    private static bool AreCached(double weights) => sizeof(float) * weights <= 4.0 * Caches.Second;

    /// <summary>The first layer of many networks: sums of three channels and nine taps.</summary>
    private static bool IsShallow(in ConvolutionSpec spec) => spec.Filter.FanIn < 32;

    /// <summary>What the gradient of such a layer takes longer.</summary>
    private static double ShallowGradient { get; } = On(1, 1, 1.25);

    /// <summary>What a strided data gradient takes longer.</summary>
    private static double Phases { get; } = On(1, 1, 1.35);

    /// <summary>Turning an element.</summary>
    public static double Turn { get; } = On(0.8, 1.8, 2.2);

    /// <summary>The same for as many as stay in the caches.</summary>
    private static double CachedTurn { get; } = On(0.8, 1.8, 1);

    public static double Turning(double elements) => elements * (elements * sizeof(float) <= Caches.Third / 4.0 ? CachedTurn : Turn);

    /// <param name="whole">Vectors of 512 bits.</param>
    /// <param name="split">The same in two halves.</param>
    /// <param name="half">Vectors of 256 bits.</param>
    internal static double On(double whole, double split, double half) => Simd.SplitsVectors ? split : Simd.Width == 512 ? whole : half;

    /// <summary>The dense path of a forward pass.</summary>
    public static double Dense(in ConvolutionSpec spec, int batch)
    {
        double direct = Direct(spec, batch);
        return Winograd.Suits(spec) ? Math.Min(direct, Winograd.Cost(spec, batch) * 512 / Simd.WorkingWidth) : direct;
    }

    /// <summary>
    /// The dense path of a data gradient, which transposes the filter first: nothing beside a convolution, most of a small linear layer's. With strides it goes
    /// by phases, each of few taps.
    /// </summary>
    public static double DenseData(in ConvolutionSpec spec, int batch)
    {
        const double transposition = 3; // of an element
        double direct = Direct(spec, batch) * (spec.Stride > 1 ? Phases : 1), dense = Dense(spec, batch);
        return Winograd.Suits(spec) && dense < direct ? dense : direct + transposition * spec.Filter.Out * spec.Filter.FanIn;
    }

    /// <summary>The dense path of a weight gradient.</summary>
    public static double DenseGradient(in ConvolutionSpec spec, int batch, int workers)
    {
        double direct = Direct(spec, batch) * (IsShallow(spec) ? ShallowGradient : 1);
        return Winograd.Suits(spec) ? Math.Min(direct, Winograd.GradientCost(spec, batch, workers) * 512 / Simd.WorkingWidth) : direct;
    }

    /// <summary>
    /// The direct product: multiply-adds a cycle with vectors of 16; fewer where output channels do not fill a register tile. It leaves out what meets
    /// nothing but padding, and goes slower where a sum has few terms.
    /// </summary>
    public static double Direct(in ConvolutionSpec spec, int batch)
    {
        int outputs = spec.Filter.Out / spec.Groups;
        double rate = Simd.Width < 512 ? IsShallow(spec) ? 17 : 21 : outputs < 32 ? 22 : 28;
        (double rows, double usedRows) = Meeting(spec.Filter.Height, spec.Input.Height, spec.Output.Height, spec);
        (double columns, double usedColumns) = Meeting(spec.Filter.Width, spec.Input.Width, spec.Output.Width, spec);
        return spec.Macs * rows * columns * batch / (Filled(outputs, spec) * rate * Simd.WorkingWidth / 512) + Packed(spec, usedRows * usedColumns * spec.Filter.Out * spec.Filter.FanIn);
    }

    /// <summary>
    /// The share of a register tile's columns that outputs fill. All of them in linear layers, whose choices did not become better by counting it, and with 128 bits, for
    /// which nothing was measured: earlier runs keep their bits there.
    /// </summary>
    private static double Filled(int outputs, in ConvolutionSpec spec) =>
        spec.Input.Height * spec.Input.Width == 1 || Simd.Width == 128 ? 1 : (double)outputs / Simd.Whole(outputs);

    /// <summary>The share of pairs of an output row and a filter row (or columns of both) that meet the input, and that of filter rows that do so anywhere.</summary>
    private static (double Pairs, double Taps) Meeting(int taps, int input, int outputs, in ConvolutionSpec spec)
    {
        int pairs = 0, used = 0;
        for (int k = 0; k < taps; k++)
        {
            int end = input + spec.Padding - k; // of output * stride
            if (end <= 0) continue;
            int first = Math.Max(0, (spec.Padding - k + spec.Stride - 1) / spec.Stride), last = Math.Min(outputs - 1, (end - 1) / spec.Stride);
            if (last < first) continue;
            pairs += last - first + 1;
            used++;
        }
        return ((double)pairs / (taps * outputs), (double)used / taps);
    }
}
