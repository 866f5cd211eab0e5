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
        float* numbers = NumbersOf(ranking);
        (float value, long equal) = ranking == Ranking.Score
            ? _search.Find<ByScore>(_list, numbers, Masks, zeros: 0, keep)
            : _search.Find<ByMagnitude>(_list, numbers, masks: null, _list.Elements - live, keep);
        if (_search.SawNonFinite) RequireNumbers(numbers);
        return keep == 0 ? new Threshold(float.PositiveInfinity, 0, ranking) : new Threshold(value, equal, ranking);
    }

    private float* NumbersOf(Ranking ranking) => Slot(ranking == Ranking.Score ? ParameterSlot.Score : ParameterSlot.Value, write: true);

    protected override void ApplyThresholdCore(ReadOnlySpan<int> parameters, Threshold threshold, Span<long> live)
    {
        if (threshold.Ranking == Ranking.Score) Apply<ByScore>(parameters, threshold, live); else Apply<ByMagnitude>(parameters, threshold, live);
    }

    private void Apply<R>(ReadOnlySpan<int> parameters, Threshold threshold, Span<long> live) where R : struct, IRank
    {
        float* numbers = NumbersOf(threshold.Ranking);
        _values.Changed();
        List(parameters);
        for (int i = 0; i < _list.Count; i++)
        {
            ScatterState(_list[i].Parameter.Index);
            EnsureMask(_list[i].Parameter.Index);
        }
        List(parameters);
        TieCut cut = CutTies<R>(numbers, threshold);
        Array.Clear(_counts);
        _workers.Vectorize(_list.Elements,
            new PruneBody<R>(_list, threshold.Value, cut, numbers, Values, State0, State1, Masks, _counts));
        if (cut.Segment < _list.Count && cut.Output >= 0) PruneTiesOfOutput<R>(numbers, threshold.Value, cut);
        for (int i = 0; i < _list.Count; i++)
        {
            int p = _list[i].Parameter.Index;
            _live[p] = CountOf(i);
            _masked[p] = _live[p] < Parameters[p].Elements;
        }
        for (int i = 0; i < parameters.Length; i++) live[i] = _live[parameters[i]];
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

    private TieCut CutTies<R>(float* numbers, Threshold threshold) where R : struct, IRank
    {
        if (threshold.KeepEqual == 0) return new TieCut(-1, -1, 0);
        Array.Clear(_counts);
        _workers.Vectorize(_list.Elements, new CountEqualBody<R>(_list, threshold.Value, numbers, Masks, _counts));
        long budget = threshold.KeepEqual;
        for (int i = 0; i < _list.Count; i++)
        {
            long equal = CountOf(i);
            if (budget < equal) return CutOutputs<R>(numbers, i, threshold.Value, budget);
            budget -= equal;
        }
        return new TieCut(_list.Count, -1, 0);
    }

    private TieCut CutOutputs<R>(float* numbers, int index, float value, long budget) where R : struct, IRank
    {
        Segment segment = _list[index];
        int outputs = segment.Parameter.Filter.Out, output = 0;
        Span<long> ties = _ties.AsSpan(0, outputs);
        ties.Clear();
        ulong* words = Masks + segment.Offset / 64;
        uint* bits = (uint*)(numbers + segment.Offset);
        uint key = R.Key(BitConverter.SingleToUInt32Bits(value));
        for (long i = 0; i < segment.Count; i++)
        {
            if (R.Key(bits[i]) == key && (words[i >> 6] >> (int)(i & 63) & 1) != 0) ties[output]++;
            if (++output == outputs) output = 0;
        }
        for (output = 0; budget >= ties[output]; output++) budget -= ties[output];
        return new TieCut(index, output, budget);
    }

    /// <summary>Prunes the ties of the cut's output behind the first Rest: its elements in PyTorch's order are inputs, then taps.</summary>
    private void PruneTiesOfOutput<R>(float* numbers, float value, TieCut cut) where R : struct, IRank
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
            if (R.Key(((uint*)numbers)[i]) != key || (Masks[i >> 6] & bit) == 0 || rest-- > 0) continue;
            Masks[i >> 6] &= ~bit;
            Values[i] = 0;
            if (State0 != null) State0[i] = 0;
            if (State1 != null) State1[i] = 0;
            _counts[cut.Segment]--;
        }
    }

    /// <summary>Of live elements.</summary>
    private void RequireNumbers(float* numbers)
    {
        for (int i = 0; i < _list.Count; i++)
        {
            Segment segment = _list[i];
            for (long k = 0; k < segment.Count; k++)
                if (float.IsNaN(numbers[segment.Offset + k]) && MaskBits.Live(Masks, segment, k, 1) != 0)
                    throw CreateUnrankable(segment.Parameter, numbers == Values ? Ranking.Magnitude : Ranking.Score);
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
                Clear<L, V>(values + at + k, mask);
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
