using Asni.Devices;

namespace Asni.Cuda;

internal sealed partial class CudaParameters
{
    /// <summary>Two more sets of masks: what an exchange keeps, and what comes alive.</summary>
    private CudaBuffer? _moreMasks;

    protected override void GrowCore(ReadOnlySpan<int> parameters, long count, Ranking ranking)
    {
        ChunkList list = List(parameters);
        (_, ulong grown) = MoreMasks();
        Combine(list, _masks.Pointer, 0, grown, complement: true);
        var counts = new long[parameters.Length];
        var before = new long[parameters.Length];
        for (int i = 0; i < before.Length; i++) before[i] = _live[parameters[i]];
        ulong chosen = Select(parameters, list, grown, count, ranking);
        Combine(list, _masks.Pointer, grown, _masks.Pointer);
        ReadLive(parameters, chosen, counts);
        for (int i = 0; i < before.Length; i++) _live[parameters[i]] = before[i] + counts[i];
    }

    protected override void ExchangeCore(int parameter, long drop, long grow, Ranking ranking)
    {
        int[] parameters = [parameter];
        ChunkList list = List(parameters);
        (ulong kept, ulong grown) = MoreMasks();
        Combine(list, _masks.Pointer, 0, kept);
        Select(parameters, list, kept, _live[parameter] - drop, Ranking.Magnitude);
        Combine(list, kept, 0, grown, complement: true);
        Select(parameters, list, grown, grow, ranking);
        Combine(list, kept, grown, _masks.Pointer);
        _live[parameter] += grow - drop;
        ApplyMasks(parameter);
    }

    protected override void MarkLargestCore(ReadOnlySpan<int> parameters, long keep, Ranking ranking)
    {
        ChunkList list = List(parameters);
        (ulong kept, _) = MoreMasks();
        Combine(list, _masks.Pointer, 0, kept);
        Select(parameters, list, kept, keep, ranking);
        ulong marks = Slot(ParameterSlot.Gate).Pointer;
        foreach (int p in parameters) _stream.Fill32(marks + (ulong)_offsets[p] * sizeof(float), BitConverter.SingleToUInt32Bits(1), Parameters[p].Elements);
        Combine(_arena with { Masks = kept }, list, ElementFunction.Identity, ParameterSlot.Gate, ParameterSlot.Gate, 1, 0, dense: false);
    }

    private (ulong Kept, ulong Grown) MoreMasks()
    {
        long bytes = Math.Max(1, _total) / 8 + sizeof(uint);
        _moreMasks ??= new CudaBuffer(_stream, 2 * bytes);
        return (_moreMasks.Pointer, _moreMasks.Pointer + (ulong)bytes);
    }

    /// <summary>Leaves, of the elements of a mask, so many that rank highest.</summary>
    /// <returns>Where the numbers of them of each parameter are.</returns>
    private ulong Select(ReadOnlySpan<int> parameters, ChunkList list, ulong mask, long keep, Ranking ranking)
    {
        // Without values nothing is erased.
        ArenaArgs arena = _arena with { Masks = mask, Values = 0 };
        Search(arena, list, keep, ranking, prune: false);
        return Cut(arena, list, Found(parameters, keep, ranking, out _));
    }

    /// <summary>to = a or its complement, and b where one is given (not 0).</summary>
    private void Combine(ChunkList list, ulong a, ulong b, ulong to, bool complement = false)
    {
        var args = new MaskArgs { Segments = _segments.Pointer, Chunks = list.Pointer, A = a, B = b, To = to, Flip = complement ? uint.MaxValue : 0, Count = list.Count };
        Launch("combine_masks", SearchBlocks(list.Count), in args);
    }

    private struct MaskArgs
    {
        public ulong Segments, Chunks, A, B, To;
        public uint Flip;
        public int Count;
    }
}
