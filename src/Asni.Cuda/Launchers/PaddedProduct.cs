using System.Runtime.InteropServices;
using Asni.Cuda.Driver;

namespace Asni.Cuda.Launchers;

/// <summary>
/// By our kernels, after zeros have filled up the input's channels to the 16 bytes that the fast ones read at once: for first layers, whose images have
/// 1 or 3 channels. Only of one group, and not of the data gradient.
/// </summary>
internal sealed record PaddedChoice(TileChoice Inner) : ConvolutionChoice
{
    /// <summary>The most scratch memory that padded activations may take, in bytes.</summary>
    public const long MaxBytes = 512L << 20;

    /// <summary>The layer with padded channels; null where padding is of no use.</summary>
    public static ConvolutionShape? Padded(CudaPrecision precision, ConvolutionPass pass, in ConvolutionShape shape, int samples)
    {
        int chunk = ConvolutionTile.ChunkElements(precision);
        if (pass == ConvolutionPass.DataGradient || shape.Groups > 1 || shape.Channels % chunk == 0) return null;
        if (pass == ConvolutionPass.WeightGradient && shape.OutChannels % chunk != 0) return null;
        ConvolutionShape padded = shape with { Channels = ConvolutionShape.CeilDivide(shape.Channels, chunk) * chunk };
        bool fits = padded.InputElements(samples) is long elements && elements <= int.MaxValue
            && elements * (precision == CudaPrecision.Bf16 ? 2 : 4) <= MaxBytes;
        return fits ? padded : null;
    }

    public override ConvolutionProduct Create(ConvolutionRuntime runtime, in ConvolutionShape shape, ConvolutionPass pass, int samples) =>
        new PaddedProduct(runtime, shape, pass, samples, this);

    /// <summary>Of the inner product's partial results, behind them the padded input, then the padded weights or their gradient.</summary>
    public override long ScratchBytes(ConvolutionRuntime runtime, in ConvolutionShape shape, ConvolutionPass pass, int samples)
    {
        (long partial, long input, long filter) = Parts(runtime, Padded(runtime.Precision, pass, shape, samples)!.Value, pass, samples);
        return partial + input + filter;
    }

    internal (long Partial, long Input, long Filter) Parts(ConvolutionRuntime runtime, in ConvolutionShape padded, ConvolutionPass pass, int samples) =>
        (Aligned(TileProduct.PartialBytes(padded, pass, samples, Inner.Splits)), Aligned(padded.InputElements(samples) * runtime.ElementBytes),
            padded.FilterElements * sizeof(float));

    private static long Aligned(long bytes) => (bytes + 255) / 256 * 256;

    public override string ToString() => $"padded {Inner}";
}

/// <summary>A pass over an input, weights or their gradient with padded channels, which it keeps in scratch memory.</summary>
internal sealed class PaddedProduct : ConvolutionProduct
{
    private readonly ConvolutionRuntime _runtime;
    private readonly ConvolutionShape _shape, _padded;
    private readonly TileProduct _inner;
    private readonly bool _forward;
    private readonly CudaKernel _pad;
    private readonly CudaKernel? _drop;
    private readonly ulong _input, _filter;

    /// <param name="runtime">The device's.</param>
    /// <param name="shape">Of the convolution, without padding.</param>
    /// <param name="pass">Which product.</param>
    /// <param name="samples">The most it will run with.</param>
    /// <param name="choice">Tiles and splits of the padded product.</param>
    public PaddedProduct(ConvolutionRuntime runtime, in ConvolutionShape shape, ConvolutionPass pass, int samples, PaddedChoice choice)
    {
        _runtime = runtime;
        _shape = shape;
        _padded = PaddedChoice.Padded(runtime.Precision, pass, shape, samples)
            ?? throw new InvalidOperationException($"{pass} of {shape} has no padded form.");
        _forward = pass == ConvolutionPass.Forward;
        _pad = runtime.Kernels.Get($"pad_channels_{runtime.StorageName}");
        if (!_forward) _drop = runtime.Kernels.Get("drop_channels_fp32");
        // The inner product begins its partial results where scratch memory begins.
        (long partial, long input, long filter) = choice.Parts(runtime, _padded, pass, samples);
        _input = runtime.Scratch(partial + input + filter) + (ulong)partial;
        _filter = _input + (ulong)input;
        _inner = new TileProduct(runtime, _padded, pass, samples, choice.Inner);
    }

    public override int StatisticsRows => _inner.StatisticsRows;

    public override void Run(in ConvolutionCall call)
    {
        // Live blocks count the filter's own elements, and dead weights are 0 anyway.
        ConvolutionCall padded = call with { Live = null };
        long pixels = _shape.InputElements(call.Samples) / _shape.Channels, rows = _shape.FilterElements / _shape.Channels;
        if (_forward)
        {
            Launch(_pad, call.A, _input, pixels, _shape.Channels, _padded.Channels);
            Launch(_pad, call.B, _filter, rows, _shape.Channels, _padded.Channels);
            _inner.Run(padded with { A = _input, B = _filter });
            return;
        }
        Launch(_pad, call.B, _input, pixels, _shape.Channels, _padded.Channels);
        _inner.Run(padded with { B = _input, Y = _filter });
        Launch(_drop!, _filter, call.Y, rows, _padded.Channels, _shape.Channels);
    }

    public override void Dispose()
    {
        _inner.Dispose();
        base.Dispose();
    }

    private void Launch(CudaKernel kernel, ulong x, ulong y, long rows, int from, int to)
    {
        var args = new ChannelsArgs { X = x, Y = y, Rows = rows, From = from, To = to };
        kernel.Launch(_runtime.Stream, CudaDevice.Blocks(rows * to, _runtime.Multiprocessors), CudaDevice.Threads, 0, in args);
    }

    /// <summary>The argument of pad_channels and drop_channels.</summary>
    [StructLayout(LayoutKind.Sequential)]
    private struct ChannelsArgs
    {
        public ulong X, Y;
        public long Rows;
        public int From, To;
    }
}
