namespace Asni.Cpu.Sparse;

/// <summary>
/// How a block of activations lies in a worker's memory while taps run over it: a plane a channel, in which a tap is an offset and
/// neighbouring outputs are neighbouring vectors. Lanes of a vector are either <see cref="Lanes"/> samples at one position, or (Lanes 1)
/// consecutive positions of one sample. Rows and columns that a stride visits in turn lie in planes of their own, Step x Step a channel.
/// </summary>
/// <param name="Height">Of the tensor.</param>
/// <param name="FirstRow">Tensor row of the first plane row, from the block's first row; what lies outside the tensor is 0.</param>
/// <param name="Rows">Of each of the Step x Step planes.</param>
internal readonly record struct Planes(int Channels, int Height, int Width, int Step, int FirstRow, int FirstColumn, int Rows, int Columns, int Lanes)
{
    /// <summary>Planes are an odd number of cache lines apart, so that a position's channels do not share a cache set.</summary>
    private const int Line = 16;

    /// <summary>Floats from a row to the next.</summary>
    public int Pitch => Columns * Lanes;

    /// <summary>Floats of a plane.</summary>
    public int Size => ((Rows * Pitch + Line - 1) / Line | 1) * Line;

    /// <summary>Floats from a channel to the next.</summary>
    public int ChannelPitch => Step * Step * Size;

    public long Floats => (long)Channels * ChannelPitch;

    /// <summary>Where the element is of a channel that lies this many rows and columns from the plane's first.</summary>
    public int Offset(int channel, int row, int column) =>
        ((channel * Step + row % Step) * Step + column % Step) * Size + row / Step * Pitch + column / Step * Lanes;
}
