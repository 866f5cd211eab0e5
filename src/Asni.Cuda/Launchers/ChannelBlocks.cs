using System.Numerics;
using Asni.Cuda.Driver;

namespace Asni.Cuda.Launchers;

/// <summary>How the blocks of channel_blocks.h lie over the rows and channels of a tensor.</summary>
internal readonly struct ChannelBlocks
{
    public const int Threads = 256;
    private const int MaxColumns = 32, RowsOfLane = 4;

    private readonly int _lanes;

    /// <param name="channels">Of the tensor.</param>
    /// <param name="width">Channels of a thread.</param>
    /// <exception cref="AsniException">More channels than a grid has places for.</exception>
    public ChannelBlocks(int channels, int width)
    {
        int chunks = ConvolutionShape.CeilDivide(channels, width);
        int columns = (int)Math.Min(MaxColumns, BitOperations.RoundUpToPowerOf2((uint)chunks));
        _lanes = Threads / columns;
        Count = ConvolutionShape.CeilDivide(chunks, columns);
        if (Count > Dim3.MaxYZ)
            throw new AsniException($"a layer of {channels:N0} channels is wider than the {(long)Dim3.MaxYZ * columns * width:N0} that the GPU kernels take");
    }

    /// <summary>Blocks side by side along the channels.</summary>
    public int Count { get; }

    /// <summary>Blocks along the rows: so many that all together are about <paramref name="blocks"/>, and each lane has some rows.</summary>
    public int Shares(long rows, int blocks) =>
        (int)Math.Clamp(ConvolutionShape.CeilDivide(rows, _lanes * RowsOfLane), 1, Math.Max(1, blocks / Count));
}
