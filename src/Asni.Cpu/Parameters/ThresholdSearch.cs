using System.Numerics;
using System.Runtime.InteropServices;

namespace Asni.Cpu;

/// <summary>
/// The k-th largest by radix selection on keys, integers that order as the numbers do: a histogram of the highest 12 of 32 bits, then of the next 12
/// among the elements of the one bucket that holds the answer, then of the last 8. Every bucket's count is exact, so that the number of equals
/// to keep comes out too.
/// </summary>
internal sealed unsafe class ThresholdSearch(Workers workers) : IDisposable
{
    private const int Bins = 4096;

    /// <summary>Histograms a worker takes turns with: adding to one bin twice in a row waits for the first store.</summary>
    private const int Copies = 8;

    private const uint Infinity = 0x7F80_0000;
    private readonly CpuBuffer _histograms = new((long)workers.Count * Copies * Bins * sizeof(uint));

    /// <summary>Raised by the first histogram: whether there were infinities or NaN.</summary>
    public bool SawNonFinite { get; private set; }

    /// <summary>The number of rank <paramref name="keep"/> &gt;= 1, and how many equal to it belong to the first <paramref name="keep"/>.</summary>
    /// <param name="masks">Tells which elements count; null where all do, but for <paramref name="zeros"/>.</param>
    /// <param name="zeros">Pruned elements that have the key 0 and are to be taken off: quicker than to look into masks.</param>
    public (float Value, long KeepEqual) Find<R>(Segments list, float* numbers, ulong* masks, long zeros, long keep) where R : struct, IRank
    {
        uint prefix = 0;
        foreach ((int shift, int bits) in (ReadOnlySpan<(int, int)>)[(20, 12), (8, 12), (0, 8)])
        {
            bool first = shift == 20;
            NativeMemory.Clear(_histograms.Pointer, (nuint)_histograms.Bytes);
            workers.Vectorize(list.Elements, new HistogramBody<R>(list, numbers, masks, first, prefix, shift, bits, (uint*)_histograms.Pointer));
            uint* bins = Combine();
            if (first) SawNonFinite = Any(bins, R.Key(Infinity) >> shift);
            // Only in the bucket that starts at 0 are the pruned among those counted.
            long pruned = prefix == 0 ? zeros : 0;
            int bin = (1 << bits) - 1;
            for (; ; bin--)
            {
                long count = bins[bin] - (bin == 0 ? pruned : 0);
                if (keep <= count || bin == 0) break;
                keep -= count;
            }
            prefix |= (uint)bin << shift;
        }
        return (R.Number(prefix), keep);
    }

    public void Dispose() => _histograms.Dispose();

    /// <summary>Adds all copies into the first.</summary>
    private uint* Combine()
    {
        var total = new Span<uint>(_histograms.Pointer, Bins);
        for (int copy = 1; copy < workers.Count * Copies; copy++)
        {
            var part = new ReadOnlySpan<uint>((uint*)_histograms.Pointer + copy * Bins, Bins);
            for (int i = 0; i < total.Length; i++) total[i] += part[i];
        }
        return (uint*)_histograms.Pointer;
    }

    private static bool Any(uint* bins, uint from)
    {
        for (uint i = from; i < Bins; i++)
            if (bins[i] != 0) return true;
        return false;
    }

    private readonly struct HistogramBody<R>(Segments list, float* numbers, ulong* masks, bool all, uint prefix, int shift, int bits, uint* histograms) : IVectorBody
        where R : struct, IRank
    {
        public void Execute<L, V>(int worker, int workers) where L : struct, ILanes<V> where V : struct
        {
            uint* bins = histograms + (long)worker * Copies * Bins;
            foreach (Piece piece in list.Pieces(worker, workers)) Count<L, V>(piece, bins);
        }

        private void Count<L, V>(in Piece piece, uint* bins) where L : struct, ILanes<V> where V : struct
        {
            uint* words = (uint*)(numbers + piece.Segment.Offset);
            uint every = MaskBits.All(L.Count);
            V low = L.Create(R.Number(prefix)), high = L.Create(R.Number(prefix + (uint)((1L << (shift + bits)) - 1)));
            for (long i = piece.From; i < piece.To; i += L.Count)
            {
                uint counted = masks != null ? MaskBits.Live(masks, piece.Segment, i, L.Count) : piece.To - i >= L.Count ? every : MaskBits.All((int)(piece.To - i));
                if (!all)
                {
                    V rank = R.Rank<L, V>(L.Load((float*)words + i));
                    counted &= L.Bits(L.And(L.GreaterOrEqual(rank, low), L.GreaterOrEqual(high, rank)));
                }
                if (counted == every) CountVector<L, V>(words + i, bins);
                else
                {
                    for (; counted != 0; counted &= counted - 1) bins[Bin(words[i + BitOperations.TrailingZeroCount(counted)])]++;
                }
            }
        }

        private uint Bin(uint word) => R.Key(word) >> shift & ((1u << bits) - 1);

        /// <summary>A vector of one rank, pruned or quantized, counts in one go.</summary>
        private void CountVector<L, V>(uint* words, uint* bins) where L : struct, ILanes<V> where V : struct
        {
            V first = R.Rank<L, V>(L.Create(*(float*)words));
            if (L.Bits(L.Equal(R.Rank<L, V>(L.Load((float*)words)), first)) == MaskBits.All(L.Count))
            {
                bins[Bin(words[0])] += (uint)L.Count;
                return;
            }
            for (int k = 0; k < L.Count; k += 4)
            {
                uint* copies = bins + (k & 4) * Bins;
                copies[Bin(words[k])]++;
                copies[Bins + Bin(words[k + 1])]++;
                copies[2 * Bins + Bin(words[k + 2])]++;
                copies[3 * Bins + Bin(words[k + 3])]++;
            }
        }
    }
}
