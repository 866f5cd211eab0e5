using Asni.Cuda.Driver;
using Asni.Devices;
using Asni.Networks;

namespace Asni.Cuda.Launchers;

/// <summary>The arguments of one run of a pass.</summary>
/// <param name="A">Forward: x; else dy.</param>
/// <param name="B">Weight gradient: x; else w.</param>
/// <param name="Samples">At most as many as the product was prepared for.</param>
/// <param name="Y">The result.</param>
internal readonly record struct ConvolutionCall(ulong A, ulong B, int Samples, ulong Y)
{
    /// <summary>Of the forward pass, or 0.</summary>
    public ulong Bias { get; init; }

    /// <summary>Of the forward pass.</summary>
    public Activation Activation { get; init; }

    /// <summary>Of the data gradient: add to what is there.</summary>
    public bool Accumulate { get; init; }

    /// <summary>The weights' live blocks; null: all live.</summary>
    public LiveBlocks? Live { get; init; }

    /// <summary>Where a forward pass leaves the statistics of its tiles, or 0.</summary>
    public ulong Statistics { get; init; }
}

/// <summary>One pass of one convolution, ready to launch.</summary>
internal abstract class ConvolutionProduct : IDisposable
{
    /// <summary>Rows of a tile that a forward pass leaves statistics of; 0: it leaves none.</summary>
    public virtual int StatisticsRows => 0;

    public abstract void Run(in ConvolutionCall call);

    public virtual void Dispose() => GC.SuppressFinalize(this);
}

/// <summary>A pass by our own kernels.</summary>
internal sealed class TileProduct : ConvolutionProduct
{
    private readonly ConvolutionRuntime _runtime;
    private readonly ConvolutionShape _shape;
    private readonly ConvolutionPass _pass;
    private readonly TileChoice _choice;
    private readonly CudaKernel _kernel;
    private readonly SplitSum? _sum;
    private readonly ulong _partial;
    private readonly long _splitElements;

    /// <param name="runtime">The device's.</param>
    /// <param name="shape">Of the convolution.</param>
    /// <param name="pass">Which product.</param>
    /// <param name="samples">The most it will run with.</param>
    /// <param name="choice">Tiles and splits.</param>
    public TileProduct(ConvolutionRuntime runtime, in ConvolutionShape shape, ConvolutionPass pass, int samples, TileChoice choice)
    {
        _runtime = runtime;
        _shape = shape;
        _pass = pass;
        _choice = choice;
        _kernel = runtime.Kernels.Get(choice.Tile.KernelName(pass));
        if (choice.Splits == 1) return;
        _splitElements = SplitSum.Pitch(shape.ResultElements(pass, samples));
        _partial = runtime.Scratch(PartialBytes(shape, pass, samples, choice.Splits));
        _sum = new SplitSum(runtime, pass == ConvolutionPass.WeightGradient ? "fp32" : runtime.StorageName);
    }

    /// <summary>The sums of a split product are not known in its tiles.</summary>
    public override int StatisticsRows => _choice.Splits == 1 ? _choice.Tile.Rows : 0;

    /// <summary>Scratch memory that so many splits need.</summary>
    public static long PartialBytes(in ConvolutionShape shape, ConvolutionPass pass, int samples, int splits) =>
        splits == 1 ? 0 : SplitSum.Pitch(shape.ResultElements(pass, samples)) * splits * sizeof(float);

    /// <summary>A block a tile, split and product.</summary>
    public static Dim3 Grid(TileChoice choice, in MatrixProduct product) => new(checked((int)choice.Tile.Tiles(product)), choice.Splits, product.Count);

    public override void Run(in ConvolutionCall call)
    {
        MatrixProduct product = _shape.ProductOf(_pass, call.Samples);
        ConvolutionArgs args = _shape.Args(call.Samples);
        args.A = call.A;
        args.B = call.B;
        args.Y = call.Y;
        args.Partial = _partial;
        args.SplitElements = _splitElements;
        args.Splits = _choice.Splits;
        args.Bias = call.Bias;
        args.Activation = CudaActivation.Fused(call.Activation);
        args.Accumulate = call.Accumulate ? 1 : 0;
        args.Live = call.Live?.Address ?? 0;
        args.LiveWords = call.Live?.Words ?? 0;
        args.Statistics = call.Statistics;
        _kernel.Launch(_runtime.Stream, Grid(_choice, product), _choice.Tile.Threads, _choice.Tile.SharedBytesFor(product, _choice.Splits), in args);
        _sum?.Run(_partial, _splitElements, _choice.Splits, call.Bias, _shape.OutChannels, call.Activation, call.Accumulate,
            _shape.ResultElements(_pass, call.Samples), call.Y);
    }
}

/// <summary>y = activation(sum of partial results + bias) [+ y], the partial results summed in their order.</summary>
internal sealed class SplitSum(ConvolutionRuntime runtime, string resultType)
{
    public const int Threads = 256;
    private const int PerThread = 4;

    private readonly CudaKernel _kernel = runtime.Kernels.Get($"convolution_combine_{resultType}");

    /// <summary>The distance of partial results of so many elements: 16-byte aligned.</summary>
    public static long Pitch(long elements) => (elements + 3) / 4 * 4;

    public void Run(ulong partial, long pitch, int splits, ulong bias, int channels, Activation activation, bool accumulate, long elements,
        ulong y)
    {
        var args = new CombineArgs
        {
            Partial = partial,
            Bias = bias,
            Y = y,
            Elements = elements,
            SplitElements = pitch,
            Channels = channels,
            Splits = splits,
            Activation = CudaActivation.Fused(activation),
            Accumulate = accumulate ? 1 : 0,
        };
        _kernel.Launch(runtime.Stream, Blocks(elements, runtime.Multiprocessors), Threads, 0, in args);
    }

    public static int Blocks(long elements, int multiprocessors) =>
        (int)Math.Min(ConvolutionShape.CeilDivide(elements, Threads * PerThread), multiprocessors * 16L);
}

/// <summary>dy *= activation'(y) and db = sum of dy over all rows; nothing at all when there is neither activation nor bias.</summary>
internal sealed class CudaOutputGradient
{
    private readonly ConvolutionRuntime _runtime;
    private readonly CudaKernel _kernel;
    private readonly SplitSum _sum;
    private readonly int _channels, _columnBlocks, _shares;
    private readonly Activation _activation;
    private readonly ulong _partial;

    public CudaOutputGradient(ConvolutionRuntime runtime, int channels, long rows, Activation activation)
    {
        _runtime = runtime;
        _channels = channels;
        _activation = activation;
        int chunk = ConvolutionTile.ChunkElements(runtime.Precision);
        bool whole = channels % chunk == 0;
        _kernel = runtime.Kernels.Get($"convolution_output_gradient_{runtime.StorageName}{(whole ? "" : "_any")}");
        _sum = new SplitSum(runtime, "fp32");
        var blocks = new ChannelBlocks(channels, whole ? chunk : 1);
        _columnBlocks = blocks.Count;
        _shares = blocks.Shares(rows, runtime.Multiprocessors * 4);
        _partial = runtime.Scratch(_shares * SplitSum.Pitch(channels) * sizeof(float));
    }

    /// <param name="y">The activation's output.</param>
    /// <param name="rows">Samples times positions.</param>
    /// <param name="dy">Changed in place.</param>
    /// <param name="db">The bias gradient, or 0.</param>
    public void Run(ulong y, long rows, ulong dy, ulong db)
    {
        if (_activation == Activation.None && db == 0) return;
        var args = new OutputGradientArgs
        {
            Y = y,
            Dy = dy,
            Partial = db == 0 ? 0 : _partial,
            Rows = rows,
            SplitElements = SplitSum.Pitch(_channels),
            Channels = _channels,
            Activation = CudaActivation.Fused(_activation),
        };
        _kernel.Launch(_runtime.Stream, new Dim3(_shares, _columnBlocks), ChannelBlocks.Threads, 0, in args);
        if (db != 0) _sum.Run(_partial, args.SplitElements, _shares, 0, 1, Activation.None, false, _channels, db);
    }
}
