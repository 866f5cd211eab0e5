using Asni.Cuda.Libraries;

namespace Asni.Cuda.Launchers;

/// <summary>How a pass is run; the text is what the cache tells choices apart by.</summary>
internal abstract record ConvolutionChoice
{
    /// <exception cref="Libraries.CudaLibraryException">The library has no such convolution.</exception>
    public abstract ConvolutionProduct Create(ConvolutionRuntime runtime, in ConvolutionShape shape, ConvolutionPass pass, int samples);

    /// <summary>Scratch memory that the pass takes, in bytes.</summary>
    public virtual long ScratchBytes(ConvolutionRuntime runtime, in ConvolutionShape shape, ConvolutionPass pass, int samples) => 0;
}

/// <summary>By a library of NVIDIA's that is here.</summary>
internal sealed record LibraryChoice(bool IsCuBlas) : ConvolutionChoice
{
    /// <summary>The libraries that take a pass with neither bias nor activation.</summary>
    public static IEnumerable<LibraryChoice> For(ConvolutionRuntime runtime, ConvolutionPass pass, ConvolutionShape shape)
    {
        if (CuBlasProduct.Takes(shape))
        {
            if (runtime.CuBlas is not null) yield return new(true);
        }
        else if (CuDnnProduct.Takes(pass, runtime.Precision) && runtime.CuDnn is not null) yield return new(false);
    }

    public override ConvolutionProduct Create(ConvolutionRuntime runtime, in ConvolutionShape shape, ConvolutionPass pass, int samples) =>
        IsCuBlas
        ? new CuBlasProduct(runtime.CuBlas!, runtime.Precision, shape, pass)
        : new CuDnnProduct(runtime, runtime.CuDnn!, shape, pass, samples);

    public override string ToString() => IsCuBlas ? "cublas" : "cudnn";
}

/// <summary>By our kernels: in which tiles, and into how many parts the inner dimension is split.</summary>
internal sealed record TileChoice(ConvolutionTile Tile, int Splits) : ConvolutionChoice
{
    public override ConvolutionProduct Create(ConvolutionRuntime runtime, in ConvolutionShape shape, ConvolutionPass pass, int samples) =>
        new TileProduct(runtime, shape, pass, samples, this);

    public override long ScratchBytes(ConvolutionRuntime runtime, in ConvolutionShape shape, ConvolutionPass pass, int samples) =>
        TileProduct.PartialBytes(shape, pass, samples, Splits);

    public override string ToString() => $"{Tile.Name}/{Splits}";

    /// <summary>The default where nothing is measured: large tiles, as long as they give every multiprocessor something to do.</summary>
    public static TileChoice Default(CudaPrecision precision, ConvolutionPass pass, in ConvolutionShape shape, int samples,
        int multiprocessors, int maxSharedBytes, bool wgmma)
    {
        MatrixProduct product = shape.ProductOf(pass, samples);
        ConvolutionTile[] tiles = [.. ConvolutionTile.For(precision, pass, shape, maxSharedBytes, wgmma)
            .OrderByDescending(t => t.Rows * t.Columns).ThenByDescending(t => t.Wgmma)];
        ConvolutionTile tile = tiles[^1];
        foreach (ConvolutionTile each in tiles)
        {
            // Half of a tile's columns or rows idle would cost more than a smaller tile's extra reads.
            bool fits = each.Columns <= 2 * product.Columns - 1 && each.Rows <= 2 * product.Rows - 1;
            long blocks = each.Tiles(product) * product.Count * (pass == ConvolutionPass.WeightGradient ? MaxSplits(each, product) : 1);
            if (!fits || blocks < multiprocessors) continue;
            tile = each;
            break;
        }
        return new(tile, SplitsFor(tile, product, pass, multiprocessors));
    }

    /// <summary>Splits that leave each part at least 8 stages of work.</summary>
    public static int MaxSplits(ConvolutionTile tile, in MatrixProduct product) =>
        (int)Math.Clamp(ConvolutionShape.CeilDivide(product.Inner, tile.Inner) / 8, 1, 512);

    private static int SplitsFor(ConvolutionTile tile, in MatrixProduct product, ConvolutionPass pass, int multiprocessors)
    {
        long blocks = tile.Tiles(product) * product.Count;
        // Two blocks a multiprocessor hide each other's latency; the sum over splits costs a second kernel, so a forward pass needs more reason.
        long wanted = pass == ConvolutionPass.WeightGradient ? 2L * multiprocessors : multiprocessors / 2;
        return blocks >= wanted ? 1 : (int)Math.Min(MaxSplits(tile, product), ConvolutionShape.CeilDivide(wanted, blocks));
    }
}
