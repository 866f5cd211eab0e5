using System.Runtime.InteropServices;

namespace Asni.Cuda;

/// <summary>The structs of native/include/asni/parameters.h.</summary>
internal struct ArenaArgs
{
    public ulong Values, Gradients, State0, State1, Masks, Copies, Segments;
}

[StructLayout(LayoutKind.Sequential)]
internal struct SegmentArgs
{
    public long Offset, Count;
    public int Inputs, Positions, Decays, Index;
}

internal readonly record struct ChunkArgs(int Segment, int First)
{
    /// <summary>Elements of a chunk, and threads that share it.</summary>
    public const int Elements = 1024, Threads = 256;

    /// <summary>Warps of a block, where each has a chunk of its own.</summary>
    public const int Warps = Threads / 32;
}
