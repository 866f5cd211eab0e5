namespace Asni.Cpu;

/// <summary>
/// Activations with the channels last seen as rows of whole vectors: <see cref="Width"/> floats are enough positions to fill a multiple
/// of 64 floats, so that a per-channel number sits in the same lane of every row, whatever the number of channels. What is left behind the
/// last whole row is the tail.
/// </summary>
internal readonly struct ChannelRows
{
    private const int Multiple = 64;

    /// <summary>Rows that a pass takes at a time: partial sums in float stay short, and a block stays in the second-level cache.</summary>
    private const int BlockElements = 16 * 1024;

    public ChannelRows(int channels)
    {
        Channels = channels;
        int positions = 1;
        while (channels * positions % Multiple != 0) positions *= 2;
        Width = channels * positions;
        BlockRows = Math.Clamp(BlockElements / Width, 4, 64);
    }

    public int Channels { get; }

    /// <summary>Floats in a row, a multiple of 64 and of the number of channels.</summary>
    public int Width { get; }

    public int BlockRows { get; }

    /// <summary>Blocks that the whole rows are in.</summary>
    public long Blocks(long elements) => (elements / Width + BlockRows - 1) / BlockRows;

    public (long From, long To) Block(long elements, int block) => ((long)block * BlockRows, Math.Min(elements / Width, (block + 1L) * BlockRows));

    public (long From, long To) PartitionRows(long elements, int worker, int workers) => Partition.Range(elements / Width, worker, workers);
}
