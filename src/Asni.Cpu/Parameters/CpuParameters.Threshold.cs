using System.Numerics;
using Asni.Devices;
using Asni.Networks;

namespace Asni.Cpu;

internal sealed unsafe partial class CpuParameters
{
    private readonly ThresholdSearch _search;

    /// <summary>Per worker and listed parameter: elements equal to the threshold, then live elements.</summary>
    private readonly long[] _counts;

    /// <summary>Ties of each output of one filter bank.</summary>
    private readonly long[] _ties;

    public override Threshold FindThreshold(ReadOnlySpan<int> parameters, long keep, Ranking ranking)
    {
        List(parameters);
        long live = 0;
        foreach (int p in parameters) live += _live[p];
        ArgumentOutOfRangeException.ThrowIfNegative(keep);
        ArgumentOutOfRangeException.ThrowIfGreaterThan(keep, live);
        return ranking == Ranking.Magnitude ? Find(ranking, words: null, _list.Elements - live, keep) : Find(ranking, Masks, zeros: 0, keep);
    }

    /// <param name="words">Elements of the list that count; null: all but so many <paramref name="zeros"/>.</param>
    private Threshold Find(Ranking ranking, ulong* words, long zeros, long keep)
    {
        float* numbers = NumbersOf(ranking);
        (float value, long equal) = ranking.IsSigned()
            ? _search.Find<ByScore>(_list, numbers, words, zeros, keep)
            : _search.Find<ByMagnitude>(_list, numbers, words, zeros, keep);
        if (_search.SawNonFinite) RequireNumbers(ranking, words == null ? Masks : words);
        return keep == 0 ? new Threshold(float.PositiveInfinity, 0, ranking) : new Threshold(value, equal, ranking);
    }

    private float* NumbersOf(Ranking ranking) => Slot(ranking.Slot(), write: true);

    protected override void ApplyThresholdCore(ReadOnlySpan<int> parameters, Threshold threshold, Span<long> live)
    {
        _values.Changed();
        List(parameters);
        for (int i = 0; i < _list.Count; i++)
        {
            ScatterState(_list[i].Parameter.Index);
            EnsureMask(_list[i].Parameter.Index);
        }
        List(parameters);
        Cut(Masks, threshold, erase: true);
        for (int i = 0; i < _list.Count; i++)
        {
            int p = _list[i].Parameter.Index;
            _live[p] = CountOf(i);
            _masked[p] = _live[p] < Parameters[p].Elements;
        }
        for (int i = 0; i < parameters.Length; i++) live[i] = _live[parameters[i]];
    }

    /// <summary>Takes the elements that a threshold does not keep out of a mask of the list; counts what it keeps of each segment.</summary>
    /// <param name="erase">Their values and state become +0.</param>
    private void Cut(ulong* words, Threshold threshold, bool erase)
    {
        if (threshold.Ranking.IsSigned()) Cut<ByScore>(words, threshold, erase); else Cut<ByMagnitude>(words, threshold, erase);
    }

    private void Cut<R>(ulong* words, Threshold threshold, bool erase) where R : struct, IRank
    {
        float* numbers = NumbersOf(threshold.Ranking);
        TieCut cut = CutTies<R>(numbers, words, threshold);
        Array.Clear(_counts);
        _workers.Vectorize(_list.Elements, erase
            ? new PruneBody<R>(_list, threshold.Value, cut, numbers, Values, State0, State1, words, _counts)
            : new PruneBody<R>(_list, threshold.Value, cut, numbers, null, null, null, words, _counts));
        if (cut.Segment < _list.Count && cut.Output >= 0) PruneTiesOfOutput<R>(numbers, words, threshold.Value, cut, erase);
    }

    private long CountOf(int segment)
    {
        long count = 0;
        for (int worker = 0; worker < _workers.Count; worker++) count += _counts[worker * _list.Count + segment];
        return count;
    }

    /// <summary>
    /// Where the budget for ties runs out. Ties of listed parameters before <paramref name="Segment"/> are kept, of those behind it pruned; within it,
    /// those of outputs before <paramref name="Output"/> are kept, behind it pruned, and of that output the first <paramref name="Rest"/> in PyTorch's order.
    /// </summary>
    internal readonly record struct TieCut(int Segment, int Output, long Rest);

    private TieCut CutTies<R>(float* numbers, ulong* words, Threshold threshold) where R : struct, IRank
    {
        if (threshold.KeepEqual == 0) return new TieCut(-1, -1, 0);
        Array.Clear(_counts);
        _workers.Vectorize(_list.Elements, new CountEqualBody<R>(_list, threshold.Value, numbers, words, _counts));
        long budget = threshold.KeepEqual;
        for (int i = 0; i < _list.Count; i++)
        {
            long equal = CountOf(i);
            if (budget < equal) return CutOutputs<R>(numbers, words, i, threshold.Value, budget);
            budget -= equal;
        }
        return new TieCut(_list.Count, -1, 0);
    }

    private TieCut CutOutputs<R>(float* numbers, ulong* masks, int index, float value, long budget) where R : struct, IRank
    {
        Segment segment = _list[index];
        int outputs = segment.Parameter.Filter.Out, output = 0;
        Span<long> ties = _ties.AsSpan(0, outputs);
        ties.Clear();
        ulong* words = masks + segment.Offset / 64;
        uint* bits = (uint*)(numbers + segment.Offset);
        uint key = R.Key(BitConverter.SingleToUInt32Bits(value));
        for (long i = 0; i < segment.Count; i++)
        {
            if (R.Key(bits[i]) == key && MaskBits.Lives(words, i)) ties[output]++;
            if (++output == outputs) output = 0;
        }
        for (output = 0; budget >= ties[output]; output++) budget -= ties[output];
        return new TieCut(index, output, budget);
    }

    /// <summary>Prunes the ties of the cut's output behind the first Rest: its elements in PyTorch's order are inputs, then taps.</summary>
    private void PruneTiesOfOutput<R>(float* numbers, ulong* words, float value, TieCut cut, bool erase) where R : struct, IRank
    {
        Segment segment = _list[cut.Segment];
        FilterShape filter = segment.Parameter.Filter;
        int taps = filter.Height * filter.Width;
        uint key = R.Key(BitConverter.SingleToUInt32Bits(value));
        long rest = cut.Rest;
        for (int k = 0; k < filter.FanIn; k++)
        {
            long i = segment.Offset + ((long)(k % taps) * filter.In + k / taps) * filter.Out + cut.Output;
            ulong bit = 1UL << (int)(i & 63);
            if (R.Key(((uint*)numbers)[i]) != key || (words[i >> 6] & bit) == 0 || rest-- > 0) continue;
            words[i >> 6] &= ~bit;
            _counts[cut.Segment]--;
            if (!erase) continue;
            Values[i] = 0;
            if (State0 != null) State0[i] = 0;
            if (State1 != null) State1[i] = 0;
        }
    }

    /// <summary>Of the elements that count.</summary>
    private void RequireNumbers(Ranking ranking, ulong* words)
    {
        float* numbers = NumbersOf(ranking);
        for (int i = 0; i < _list.Count; i++)
        {
            Segment segment = _list[i];
            for (long k = 0; k < segment.Count; k++)
                if (float.IsNaN(numbers[segment.Offset + k]) && MaskBits.Live(words, segment, k, 1) != 0)
                    throw CreateUnrankable(segment.Parameter, ranking);
        }
    }

    private readonly struct CountEqualBody<R>(Segments list, float value, float* numbers, ulong* masks, long[] counts) : IVectorBody where R : struct, IRank
    {
        public void Execute<L, V>(int worker, int workers) where L : struct, ILanes<V> where V : struct
        {
            V wanted = L.Create(value);
            foreach (Piece piece in list.Pieces(worker, workers))
            {
                Segment segment = piece.Segment;
                long count = 0;
                for (long i = piece.From; i < piece.To; i += L.Count)
                {
                    uint equal = L.Bits(L.Equal(R.Rank<L, V>(L.Load(numbers + segment.Offset + i)), wanted));
                    if (equal != 0) count += BitOperations.PopCount(equal & MaskBits.Live(masks, segment, i, L.Count));
                }
                counts[worker * list.Count + piece.Index] = count;
            }
        }
    }

    private readonly struct PruneBody<R>(Segments list, float value, TieCut cut, float* numbers, float* values, float* state0, float* state1, ulong* masks, long[] counts)
        : IVectorBody where R : struct, IRank
    {
        public void Execute<L, V>(int worker, int workers) where L : struct, ILanes<V> where V : struct
        {
            foreach (Piece piece in list.Pieces(worker, workers))
            {
                long live = 0, offset = piece.Segment.Offset;
                for (long i = piece.From; i < piece.To; i += 64)
                {
                    ulong word = masks[(offset + i) >> 6];
                    if (word == 0) continue;
                    ulong kept = Prune<L, V>(word, piece, i);
                    live += BitOperations.PopCount(kept);
                    if (kept != word) masks[(offset + i) >> 6] = kept;
                }
                counts[worker * list.Count + piece.Index] = live;
            }
        }

        private ulong Prune<L, V>(ulong word, in Piece piece, long i) where L : struct, ILanes<V> where V : struct
        {
            V limit = L.Create(value);
            ulong result = 0;
            long at = piece.Segment.Offset + i;
            for (int k = 0; k < 64; k += L.Count)
            {
                uint live = (uint)(word >> k) & MaskBits.All(L.Count);
                if (live == 0) continue;
                V rank = R.Rank<L, V>(L.Load(numbers + at + k));
                uint kept = L.Bits(piece.Index < cut.Segment ? L.GreaterOrEqual(rank, limit) : L.Greater(rank, limit)) & live;
                if (piece.Index == cut.Segment) kept |= KeptTies(L.Bits(L.Equal(rank, limit)) & live, i + k, piece.Segment.Parameter.Filter.Out);
                result |= (ulong)kept << k;
                if (kept == live) continue;
                V mask = L.Mask(kept);
                if (values != null) Clear<L, V>(values + at + k, mask);
                if (state0 != null) Clear<L, V>(state0 + at + k, mask);
                if (state1 != null) Clear<L, V>(state1 + at + k, mask);
            }
            return result;
        }

        private uint KeptTies(uint ties, long i, int outputs)
        {
            uint kept = 0;
            for (; ties != 0; ties &= ties - 1)
                if ((i + BitOperations.TrailingZeroCount(ties)) % outputs <= cut.Output) kept |= ties & (~ties + 1);
            return kept;
        }

        private static void Clear<L, V>(float* p, V kept) where L : struct, ILanes<V> where V : struct => L.Store(L.And(kept, L.Load(p)), p);
    }
}
