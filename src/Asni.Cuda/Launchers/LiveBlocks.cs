using Asni.Cuda.Driver;

namespace Asni.Cuda.Launchers;

/// <summary>
/// Which 64 x 64 blocks of a convolution's weights (outputs by filter elements in the order height, width, in) hold a live weight: one bit each,
/// on the device. Kernels pass over the others. Masks of scattered weights leave hardly a block empty; pruned filters and channels do.
/// </summary>
internal sealed class LiveBlocks(ConvolutionRuntime runtime, int outputs, int fanIn) : IDisposable
{
    public const int Threads = 256;
    private const int Side = 64, Warps = Threads / 32;

    /// <summary>Looking for empty blocks costs about as much as computing this share of all.</summary>
    private const double WorthwhileShare = 1.0 / 16;

    private readonly int _rows = ConvolutionShape.CeilDivide(outputs, Side), _columns = ConvolutionShape.CeilDivide(fanIn, Side);

    /// <summary>The number of blocks with a live weight, then their bits. A recorded graph may hold the address: it stays.</summary>
    private CudaMemory? _memory;

    /// <summary>The device address of the bits, or 0 where looking at them is not worth its time.</summary>
    public ulong Address { get; private set; }

    /// <summary>32-bit words of a row of blocks.</summary>
    public int Words => ConvolutionShape.CeilDivide(_columns, 32);

    /// <summary>Looks the blocks up in a mask and waits for their number.</summary>
    /// <param name="mask">Device address of a bit an element, in the weights' order on the device; 0: all live.</param>
    public void Set(ulong mask)
    {
        Address = 0;
        if (mask == 0)
        {
            // A graph recorded before passes over nothing.
            if (_memory != null) runtime.Stream.Fill32(_memory.Pointer, uint.MaxValue, _memory.Bytes / sizeof(uint));
            return;
        }
        int blocks = _rows * _columns;
        _memory ??= new CudaMemory(runtime.Stream.Context, (1 + _rows * Words) * sizeof(uint));
        runtime.Stream.Fill32(_memory.Pointer, 0, _memory.Bytes / sizeof(uint));
        ulong bits = _memory.Pointer + sizeof(uint);
        var args = new LiveBlocksArgs
        {
            Mask = mask,
            Count = _memory.Pointer,
            Bits = bits,
            Outputs = outputs,
            FanIn = fanIn,
            Columns = _columns,
            Blocks = blocks,
            Words = Words,
        };
        runtime.Kernels.Get("live_blocks").Launch(runtime.Stream, ConvolutionShape.CeilDivide(blocks, Warps), Threads, 0, in args);
        var live = new uint[1];
        runtime.Stream.Download<uint>(live, _memory.Pointer);
        if (live[0] <= (1 - WorthwhileShare) * blocks) Address = bits;
    }

    public void Dispose() => _memory?.Dispose();

    private struct LiveBlocksArgs
    {
        public ulong Mask, Count, Bits;
        public int Outputs, FanIn, Columns, Blocks, Words;
    }
}
