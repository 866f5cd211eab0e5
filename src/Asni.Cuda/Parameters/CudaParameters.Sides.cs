using Asni.Devices;

namespace Asni.Cuda;

internal sealed partial class CudaParameters
{
    private const int SumBytes = 32;

    /// <summary>Pivots of the segments, then sums of each chunk, then of each listed segment.</summary>
    private CudaBuffer? _sides;

    public override void SumSides(ReadOnlySpan<int> parameters, ReadOnlySpan<float> pivots, Span<SideSums> sums)
    {
        ChunkList list = List(parameters);
        var bySegment = new float[Parameters.Length];
        for (int i = 0; i < parameters.Length; i++) bySegment[parameters[i]] = pivots[i];
        long partial = (bySegment.Length * sizeof(float) + SumBytes - 1) / SumBytes * SumBytes, total = partial + list.Count * (long)SumBytes;
        ulong sides = Grown(ref _sides, total + list.Parameters.Length * (long)SumBytes);
        _stream.Upload<float>(sides, bySegment);
        var args = new SideSumsArgs
        {
            Arena = _arena,
            Chunks = list.Pointer,
            Pivots = sides,
            Partial = sides + (ulong)partial,
            Sums = sides + (ulong)total,
            FirstChunk = list.Firsts,
            Count = list.Count,
        };
        Launch("side_sums", (list.Count + ChunkArgs.Warps - 1) / ChunkArgs.Warps, in args);
        Launch("side_sums_total", list.Parameters.Length, in args);
        // The GPU's struct has the record's own layout.
        ReadOnlySpan<SideSums> results = Fetch<SideSums>(sides + (ulong)total, list.Parameters.Length);
        for (int i = 0; i < parameters.Length; i++) sums[i] = results[Array.IndexOf(list.Parameters, parameters[i])];
    }

    public override void AssignSides(int parameter, float pivot, float above, float below)
    {
        ChunkList list = List([parameter]);
        var args = new AssignSidesArgs { Arena = _arena, Chunks = list.Pointer, Pivot = pivot, Above = above, Below = below };
        Launch("assign_sides", list.Count, in args);
    }

    private struct SideSumsArgs
    {
        public ArenaArgs Arena;
        public ulong Chunks, Pivots, Partial, Sums, FirstChunk;
        public int Count;
    }

    private struct AssignSidesArgs
    {
        public ArenaArgs Arena;
        public ulong Chunks;
        public float Pivot, Above, Below;
    }
}
