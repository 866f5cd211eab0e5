using Asni.Devices;

namespace Asni.Cuda;

internal sealed partial class CudaParameters
{
    private const int SumBytes = 32;

    /// <summary>Pivots of the segments, then sums of each chunk, then of each listed segment.</summary>
    private CudaBuffer? _signStatistics;

    public override void SumBySign(ReadOnlySpan<int> parameters, ReadOnlySpan<float> pivots, Span<SignStatistics> sums, ParameterSlot slot = ParameterSlot.Value)
    {
        ChunkList list = List(parameters);
        var bySegment = new float[Parameters.Length];
        for (int i = 0; i < parameters.Length; i++) bySegment[parameters[i]] = pivots[i];
        long partial = (bySegment.Length * sizeof(float) + SumBytes - 1) / SumBytes * SumBytes, total = partial + list.Count * (long)SumBytes;
        ulong statistics = Grown(ref _signStatistics, total + list.Parameters.Length * (long)SumBytes);
        _stream.Upload<float>(statistics, bySegment);
        var args = new SignStatisticsArgs
        {
            Arena = _arena with { Values = Slot(slot).Pointer },
            Chunks = list.Pointer,
            Pivots = statistics,
            Partial = statistics + (ulong)partial,
            Sums = statistics + (ulong)total,
            FirstChunk = list.Firsts,
            Count = list.Count,
        };
        Launch("sign_statistics", (list.Count + ChunkArgs.Warps - 1) / ChunkArgs.Warps, in args);
        Launch("sign_statistics_total", list.Parameters.Length, in args);
        // The GPU's struct has the record's own layout.
        ReadOnlySpan<SignStatistics> results = Fetch<SignStatistics>(statistics + (ulong)total, list.Parameters.Length);
        for (int i = 0; i < parameters.Length; i++) sums[i] = results[Array.IndexOf(list.Parameters, parameters[i])];
    }

    public override void AssignBySign(int parameter, float pivot, float above, float below)
    {
        ChunkList list = List([parameter]);
        var args = new AssignBySignArgs { Arena = _arena, Chunks = list.Pointer, Pivot = pivot, Above = above, Below = below };
        Launch("assign_by_sign", list.Count, in args);
    }

    private struct SignStatisticsArgs
    {
        public ArenaArgs Arena;
        public ulong Chunks, Pivots, Partial, Sums, FirstChunk;
        public int Count;
    }

    private struct AssignBySignArgs
    {
        public ArenaArgs Arena;
        public ulong Chunks;
        public float Pivot, Above, Below;
    }
}
