using Asni.Cpu.Sparse;
using Asni.Devices;

namespace Asni.Cpu.Convolution;

/// <summary>Which dense convolutions go by <see cref="WinogradTransforms"/>. Fixed, as the choice of sparse paths is: equal runs take equal paths.</summary>
internal static class Winograd
{
    [ThreadStatic]
    private static bool? t_forced;

    /// <summary>Set by tests for their own thread: true or false forces a path where the shape allows it, null lets the cost model choose.</summary>
    internal static bool? Forced { get => t_forced; set => t_forced = value; }

    /// <summary>What is larger than this, in floats, comes from memory at each use.</summary>
    private const long CachedFloats = 3 << 20;

    /// <summary>Products of fewer take as long as those of so many.</summary>
    private const int FewestInputs = 16;

    /// <summary>3x3, stride 1, one group.</summary>
    public static bool Suits(in ConvolutionSpec spec) =>
        spec.Filter.Height == 3 && spec.Filter.Width == 3 && spec.Stride == 1 && spec.Groups == 1 && spec.Padding <= 2;

    /// <summary>
    /// Tiles of a block: a multiple of what register tiles take. With vectors of 512 bits as many as most of a second cache holds; enough to use a filter many times
    /// where that would be too few.
    /// </summary>
    public static int Block(int inputs, int outputs)
    {
        if (Simd.Width < 512) return inputs + outputs <= 192 ? 36 : 72;
        int held = Caches.Second / 5 * 3 / ((WinogradTransforms.Points + 1) * sizeof(float) * Math.Max(inputs, outputs)), whole = InnerTiles.MaximumRows;
        return held < whole ? 72 : Math.Min(36, held / whole * whole);
    }

    /// <summary>
    /// The same for a gradient, whose sums are taken up and put down once a block: what two second caches hold of both sides, and no fewer than pay for that, which are more
    /// where sums come from memory.
    /// </summary>
    public static int GradientBlock(int inputs, int outputs)
    {
        int held = 2 * Caches.Second / (WinogradTransforms.Points * sizeof(float) * (inputs + outputs));
        int least = (long)WinogradTransforms.Points * inputs * outputs > CachedFloats ? 2 * WinogradGradient.InFirstCache : WinogradGradient.InFirstCache;
        return Math.Max(least, held / WinogradGradient.InFirstCache * WinogradGradient.InFirstCache);
    }

    /// <summary>Finding a tile's places and going from point to point, of a product and of a gradient. With smaller vectors it is among its transforms.</summary>
    private static double Tile { get; } = SparseCost.On(500, 250, 0);
    private static double GradientTile { get; } = SparseCost.On(1000, 500, 0);

    /// <summary>
    /// Whether the transformed filter is kept, four times the memory of the filter and more where channels do not fill vectors: in inference, whose weights do not change, where
    /// transforming it anew takes a tenth of a pass over so few tiles. Not those that would come from memory each time.
    /// </summary>
    public static bool KeepsFilter(in ConvolutionSpec spec)
    {
        double filter = Filter(spec);
        return !spec.Training && filter <= CachedFloats && 10 * filter * FilterCost(filter) > Products(spec, Tiles(spec, spec.Batch), Tile);
    }

    /// <summary>Cycles of one core, with AVX-512, for a forward pass or data gradient: products, transforms of both sides, and the filter's.</summary>
    public static double Cost(in ConvolutionSpec spec, int batch)
    {
        double tiles = Tiles(spec, batch), filter = Filter(spec);
        return Products(spec, tiles, Tile) + filter * (KeepsFilter(spec) ? Fetch(filter) : FilterCost(filter));
    }

    /// <summary>Reading an element of a filter that was transformed before.</summary>
    private static double Fetch(double filter) => filter * sizeof(float) > 2.0 * Caches.Second ? 0.4 : 0.1;

    /// <summary>Transforming an element of the filter, and fetching it where it came to lie.</summary>
    private static double FilterCost(double filter)
    {
        if (Simd.Width == 512) return filter > CachedFloats ? 2.2 : 0.8;
        return filter > CachedFloats ? 3.5 : filter * sizeof(float) > 2.0 * Caches.Second ? 2.1 : 0.8;
    }

    /// <summary>For a weight gradient, whose sums pass through the caches: once a block of tiles.</summary>
    public static double GradientCost(in ConvolutionSpec spec, int batch, int workers)
    {
        double tiles = Tiles(spec, batch), filter = Filter(spec), sums = filter * workers;
        if (Simd.Width == 512) return Products(spec, tiles, GradientTile) + sums * (sums > CachedFloats ? 2.5 : 1.3);
        double blocks = Math.Ceiling(tiles / GradientBlock(spec.Input.Channels, spec.Output.Channels));
        return Products(spec, tiles, GradientTile) + filter * blocks * (filter > CachedFloats / 4 ? 1.2 : 0.3);
    }

    private static double Tiles(in ConvolutionSpec spec, int batch) => (double)batch * new WinogradTiles(spec.Input, spec.Output, spec.Padding).Count;

    /// <summary>Register tiles hold outputs in whole vectors, and starting one takes as long as a few inputs.</summary>
    private static double Filter(in ConvolutionSpec spec) => (double)WinogradTransforms.Points * Math.Max(FewestInputs, spec.Input.Channels) * Simd.Whole(spec.Output.Channels);

    /// <summary>Matrix products, transforms of both sides and, where activations do not stay in a last cache, their way through memory.</summary>
    /// <param name="tile">Of a tile, besides what grows with its channels.</param>
    private static double Products(in ConvolutionSpec spec, double tiles, double tile)
    {
        int channels = Simd.Whole(spec.Input.Channels) + Simd.Whole(spec.Output.Channels);
        double activations = tiles * WinogradTransforms.Outputs * WinogradTransforms.Outputs * channels;
        return tiles * (Filter(spec) / Rate(spec, channels) + Transforms(channels) + tile) + (ComeFromMemory(activations) ? 1.2 * activations : 0);
    }

    /// <summary>Whether so many floats come from memory: cores with smaller vectors were measured beside others that share their last cache.</summary>
    private static bool ComeFromMemory(double floats) => Simd.Width == 512 ? floats > CachedFloats : floats * sizeof(float) > Caches.Third / 8.0;

    private static double Rate(in ConvolutionSpec spec, int channels) => spec.Output.Channels < 32 ? 16 : Simd.Width == 512 ? 28 : channels > 256 ? 20 : 26;

    /// <summary>Sixteen registers do not hold a transform.</summary>
    private static double Transforms(int channels) => Simd.Width == 512 ? 8 * channels : 38 * Math.Min(channels, 64) + 5 * Math.Max(0, channels - 64);
}
