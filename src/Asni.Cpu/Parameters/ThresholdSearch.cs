using System.Numerics;
using System.Runtime.InteropServices;

namespace Asni.Cpu;

/// <summary>
/// The k-th largest magnitude by radix selection on the bits of |w|, whose order as integers is their order as numbers: a histogram of the highest
/// 12 of 31 bits, then of the next 12 among the elements of the one bucket that holds the answer, then of the last 7. Every bucket's
/// count is exact, so that the number of equals to keep comes out too.
/// </summary>
internal sealed unsafe class ThresholdSearch(Workers workers) : IDisposable
{
    private const int Bins = 4096;

    /// <summary>Histograms a worker takes turns with: adding to one bin twice in a row waits for the first store.</summary>
    private const int Copies = 4;

    private const uint Magnitude = 0x7FFF_FFFF, Infinity = 0x7F80_0000;
    private readonly CpuBuffer _histograms = new((long)workers.Count * Copies * Bins * sizeof(uint));

    /// <summary>Raised by the first histogram: whether there were infinities or NaN.</summary>
    public bool SawNonFinite { get; private set; }

    /// <summary>The magnitude of rank <paramref name="keep"/> &gt;= 1, and how many of that magnitude belong to the first <paramref name="keep"/>.</summary>
    /// <param name="zeros">Pruned elements: each is in the values as +0 and does not count.</param>
    public (float Magnitude, long KeepEqual) Find(Segments list, float* values, long zeros, long keep)
    {
        uint prefix = 0;
        foreach ((int shift, int bits) in (ReadOnlySpan<(int, int)>)[(19, 12), (7, 12), (0, 7)])
        {
            bool first = shift == 19;
            NativeMemory.Clear(_histograms.Pointer, (nuint)_histograms.Bytes);
            workers.Vectorize(list.Elements, new HistogramBody(list, values, first, prefix, shift, bits, (uint*)_histograms.Pointer));
            uint* bins = Combine();
            if (first) SawNonFinite = Any(bins, Infinity >> shift);
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
        return (BitConverter.UInt32BitsToSingle(prefix), keep);
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

    private readonly struct HistogramBody(Segments list, float* values, bool all, uint prefix, int shift, int bits, uint* histograms) : IVectorBody
    {
        public void Execute<L, V>(int worker, int workers) where L : struct, ILanes<V> where V : struct
        {
            uint* bins = histograms + (long)worker * Copies * Bins;
            foreach (Piece piece in list.Pieces(worker, workers))
            {
                uint* words = (uint*)(values + piece.Segment.Offset);
                if (all) CountAll<L, V>(words, piece.From, piece.To, bins); else CountBucket<L, V>(words, piece.From, piece.To, bins);
            }
        }

        private void CountAll<L, V>(uint* words, long i, long to, uint* bins) where L : struct, ILanes<V> where V : struct
        {
            uint every = MaskBits.All(L.Count);
            for (; i <= to - L.Count; i += L.Count)
            {
                if (L.Bits(L.Equal(L.Load((float*)words + i), default)) == every) bins[0] += (uint)L.Count;
                else CountVector<L, V>(words + i, bins);
            }
            for (; i < to; i++) bins[(words[i] & Magnitude) >> shift]++;
        }

        private void CountBucket<L, V>(uint* words, long i, long to, uint* bins) where L : struct, ILanes<V> where V : struct
        {
            uint highest = 1u << (shift + bits), every = MaskBits.All(L.Count);
            V low = L.Create(BitConverter.UInt32BitsToSingle(prefix));
            V high = L.Create(BitConverter.UInt32BitsToSingle(Math.Min(Infinity, prefix + highest - 1)));
            for (; i <= to - L.Count; i += L.Count)
            {
                V magnitude = L.Abs(L.Load((float*)words + i));
                uint inside = L.Bits(L.And(L.GreaterOrEqual(magnitude, low), L.GreaterOrEqual(high, magnitude)));
                if (inside == every) CountVector<L, V>(words + i, bins);
                else
                {
                    for (; inside != 0; inside &= inside - 1) bins[Bin(words[i + BitOperations.TrailingZeroCount(inside)])]++;
                }
            }
            for (; i < to; i++)
                if ((words[i] & Magnitude) / highest == prefix / highest) bins[Bin(words[i])]++;
        }

        private uint Bin(uint word) => (word & Magnitude) >> shift & ((1u << bits) - 1);

        private void CountVector<L, V>(uint* words, uint* bins) where L : struct, ILanes<V> where V : struct
        {
            for (int k = 0; k < L.Count; k += 4)
            {
                bins[Bin(words[k])]++;
                bins[Bins + Bin(words[k + 1])]++;
                bins[2 * Bins + Bin(words[k + 2])]++;
                bins[3 * Bins + Bin(words[k + 3])]++;
            }
        }
    }
}
