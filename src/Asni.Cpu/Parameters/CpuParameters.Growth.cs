using Asni.Devices;

namespace Asni.Cpu;

internal sealed unsafe partial class CpuParameters
{
    /// <summary>Masks of the same form: what an exchange keeps, and what comes alive.</summary>
    private CpuBuffer? _kept, _grown;

    protected override void GrowCore(ReadOnlySpan<int> parameters, long count, Ranking ranking)
    {
        Prepare(parameters);
        ulong* grown = Words(ref _grown);
        Complement(Masks, grown);
        Select(grown, count, ranking);
        Unite(Masks, grown, Masks);
        for (int i = 0; i < _list.Count; i++) SetLive(_list[i].Parameter.Index, _live[_list[i].Parameter.Index] + CountOf(i));
    }

    protected override void ExchangeCore(int parameter, long drop, long grow, Ranking ranking)
    {
        Prepare([parameter]);
        ulong* kept = Words(ref _kept), grown = Words(ref _grown);
        Unite(Masks, Masks, kept);
        Select(kept, _live[parameter] - drop, Ranking.Magnitude);
        Complement(kept, grown);
        Select(grown, grow, ranking);
        Unite(kept, grown, Masks);
        SetLive(parameter, _live[parameter] - drop + grow);
        ClearPruned(parameter);
    }

    protected override void MarkLargestCore(ReadOnlySpan<int> parameters, long keep, Ranking ranking)
    {
        Prepare(parameters);
        ulong* kept = Words(ref _kept);
        Unite(Masks, Masks, kept);
        Select(kept, keep, ranking);
        _workers.Vectorize(_list.Elements, new MarkBody(_list, kept, Slot(ParameterSlot.Gate, write: true)));
        // Those without pruned elements need no mask.
        foreach (int p in parameters) SetLive(p, _live[p]);
    }

    /// <summary>Lists the parameters, each with a mask and with its state element by element.</summary>
    private void Prepare(ReadOnlySpan<int> parameters)
    {
        _values.Changed();
        foreach (int p in parameters)
        {
            ScatterState(p);
            EnsureMask(p);
        }
        List(parameters);
    }

    /// <summary>Leaves, of the elements of a mask, so many that rank highest.</summary>
    private void Select(ulong* words, long keep, Ranking ranking) => Cut(words, Find(ranking, words, zeros: 0, keep), erase: false);

    private void SetLive(int parameter, long live)
    {
        _live[parameter] = live;
        _masked[parameter] = live < Parameters[parameter].Elements;
    }

    private readonly struct MarkBody(Segments list, ulong* masks, float* marks) : IVectorBody
    {
        public void Execute<L, V>(int worker, int workers) where L : struct, ILanes<V> where V : struct
        {
            V one = L.Create(1);
            foreach (Piece piece in list.Pieces(worker, workers))
                for (long i = piece.Segment.Offset + piece.From, end = piece.Segment.Offset + piece.To; i < end; i += L.Count)
                    L.Store(L.And(L.Mask(MaskBits.Read(masks, i) & MaskBits.All(L.Count)), one), marks + i);
        }
    }

    private ulong* Words(ref CpuBuffer? buffer) => (ulong*)(buffer ??= new CpuBuffer(_length / 8)).Pointer;

    /// <summary>Of the listed parameters; bits behind a parameter's end stay 0.</summary>
    private void Complement(ulong* from, ulong* to)
    {
        for (int i = 0; i < _list.Count; i++)
        {
            long first = _list[i].Offset / 64, count = _list[i].Count;
            for (long word = 0; word * 64 < count; word++)
            {
                long rest = count - word * 64;
                to[first + word] = ~from[first + word] & (rest >= 64 ? ulong.MaxValue : (1UL << (int)rest) - 1);
            }
        }
    }

    private void Unite(ulong* a, ulong* b, ulong* to)
    {
        for (int i = 0; i < _list.Count; i++)
        {
            long first = _list[i].Offset / 64, end = first + (_list[i].Count + 63) / 64;
            for (long word = first; word < end; word++) to[word] = a[word] | b[word];
        }
    }
}
