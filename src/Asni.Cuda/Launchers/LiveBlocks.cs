using System.Numerics;
using Asni.Cuda.Driver;
using Asni.Tensors;

namespace Asni.Cuda.Launchers;

/// <summary>
/// Which 64 x 64 blocks of a convolution's weights (outputs by filter elements in the order height, width, in) hold a live weight: one bit each,
/// on the device. Kernels pass over the others. Masks of scattered weights leave hardly a block empty; pruned filters and channels do.
/// </summary>
internal sealed class LiveBlocks(ConvolutionRuntime runtime, int outputs, int channels, int filterHeight, int filterWidth) : IDisposable
{
    private const int Side = 64;

    /// <summary>Looking for empty blocks costs about as much as computing this share of all.</summary>
    private const double WorthwhileShare = 1.0 / 16;

    private readonly int _words = ConvolutionShape.CeilDivide(ConvolutionShape.CeilDivide(channels * filterHeight * filterWidth, Side), 32);
    private CudaMemory? _memory;

    /// <summary>The device address of the bits, or 0 where looking at them is not worth its time.</summary>
    public ulong Address { get; private set; }

    /// <summary>32-bit words of a row of blocks.</summary>
    public int Words => _words;

    /// <param name="mask">In PyTorch's order (out, in, height, width); null: all live.</param>
    public void Set(Mask? mask)
    {
        int rows = ConvolutionShape.CeilDivide(outputs, Side), columns = ConvolutionShape.CeilDivide(channels * filterHeight * filterWidth, Side);
        var bits = new uint[rows * _words];
        if (mask == null) Array.Fill(bits, uint.MaxValue);
        else Mark(mask, bits);
        int live = mask == null ? rows * columns : bits.Sum(BitOperations.PopCount);
        bool worthwhile = live <= (1 - WorthwhileShare) * rows * columns;
        // A recorded graph may hold the address: from the first use on the bits are kept right.
        if (worthwhile) _memory ??= new CudaMemory(runtime.Stream.Context, bits.Length * sizeof(uint));
        if (_memory != null) runtime.Stream.Upload<uint>(_memory.Pointer, bits);
        Address = worthwhile ? _memory!.Pointer : 0;
    }

    public void Dispose() => _memory?.Dispose();

    private void Mark(Mask mask, uint[] bits)
    {
        int taps = filterHeight * filterWidth, fanIn = channels * taps;
        ReadOnlySpan<ulong> words = mask.Words;
        for (int word = 0; word < words.Length; word++)
        {
            for (ulong rest = words[word]; rest != 0; rest &= rest - 1)
            {
                long index = word * 64L + BitOperations.TrailingZeroCount(rest);
                if (index >= mask.Length) break;
                int output = (int)(index / fanIn), inFilter = (int)(index % fanIn);
                int column = (inFilter % taps * channels + inFilter / taps) / Side;
                bits[output / Side * _words + column / 32] |= 1u << (column % 32);
            }
        }
    }
}
