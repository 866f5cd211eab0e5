using System.Numerics;
using Asni.Devices;

namespace Asni.Cpu;

internal sealed unsafe partial class CpuParameters
{
    /// <summary>Per worker and listed parameter.</summary>
    private readonly SideSums[] _sides;

    public override void SumSides(ReadOnlySpan<int> parameters, ReadOnlySpan<float> pivots, Span<SideSums> sums)
    {
        // The list goes by ascending index; pivots and sums by the caller's order.
        List(parameters);
        Array.Clear(_sides);
        fixed (float* pivot = pivots)
        fixed (int* order = parameters)
            _workers.Vectorize(_list.Elements, new SumBody(_list, order, parameters.Length, pivot, Values, Masks, _sides));
        sums[..parameters.Length].Clear();
        for (int i = 0; i < parameters.Length; i++)
        {
            int place = Place(parameters[i]);
            for (int worker = 0; worker < _workers.Count; worker++)
            {
                SideSums part = _sides[worker * _list.Count + place];
                sums[i] = new SideSums(sums[i].SumAbove + part.SumAbove, sums[i].CountAbove + part.CountAbove,
                    sums[i].SumBelow + part.SumBelow, sums[i].CountBelow + part.CountBelow);
            }
        }
    }

    public override void AssignSides(int parameter, float pivot, float above, float below)
    {
        _list.Clear();
        _list.Add(Parameters[parameter], _offsets[parameter], _masked[parameter]);
        _workers.Vectorize(_list.Elements, new AssignBody(_list, pivot, above, below, Values, Masks));
    }

    private int Place(int parameter)
    {
        int place = 0;
        for (int p = 0; p < parameter; p++)
            if (_chosen[p]) place++;
        return place;
    }

    private readonly struct SumBody(Segments list, int* order, int count, float* pivots, float* values, ulong* masks, SideSums[] sides) : IVectorBody
    {
        /// <summary>Sets of sums taken in turn: an addition waits for the one before in its set, and that takes longer than reading a vector.</summary>
        private const int Sets = 4;

        public void Execute<L, V>(int worker, int workers) where L : struct, ILanes<V> where V : struct
        {
            int width = 2 * L.Count;
            double* sums = stackalloc double[Sets * width];
            foreach (Piece piece in list.Pieces(worker, workers))
            {
                int caller = new ReadOnlySpan<int>(order, count).IndexOf(piece.Segment.Parameter.Index);
                new Span<double>(sums, Sets * width).Clear();
                (long above, long below) = Sum<L, V>(piece, pivots[caller], sums);
                double sumAbove = 0, sumBelow = 0;
                for (int i = 0; i < Sets * width; i++)
                {
                    if (i % width < L.Count) sumAbove += sums[i];
                    else sumBelow += sums[i];
                }
                sides[worker * list.Count + piece.Index] = new SideSums(sumAbove, above, sumBelow, below);
            }
        }

        private (long Above, long Below) Sum<L, V>(in Piece piece, float pivot, double* sums) where L : struct, ILanes<V> where V : struct
        {
            V middle = L.Create(pivot);
            long above = 0, below = 0;
            float* from = values + piece.Segment.Offset;
            int set = 0;
            for (long i = piece.From; i < piece.To; i += L.Count, set = (set + 1) % Sets)
            {
                double* mine = sums + set * 2 * L.Count;
                V w = L.Load(from + i);
                V live = L.Mask(MaskBits.Live(masks, piece.Segment, i, L.Count));
                V greater = L.And(live, L.Greater(w, middle)), less = L.And(live, L.Greater(middle, w));
                above += BitOperations.PopCount(L.Bits(greater));
                below += BitOperations.PopCount(L.Bits(less));
                L.AddTo(L.And(greater, w), mine);
                L.AddTo(L.And(less, w), mine + L.Count);
            }
            return (above, below);
        }
    }

    private readonly struct AssignBody(Segments list, float pivot, float above, float below, float* values, ulong* masks) : IVectorBody
    {
        public void Execute<L, V>(int worker, int workers) where L : struct, ILanes<V> where V : struct
        {
            V middle = L.Create(pivot);
            foreach (Piece piece in list.Pieces(worker, workers))
            {
                float* at = values + piece.Segment.Offset;
                for (long i = piece.From; i < piece.To; i += L.Count)
                {
                    V w = L.Load(at + i);
                    V live = L.Mask(MaskBits.Live(masks, piece.Segment, i, L.Count));
                    V result = L.Select(L.And(live, L.Greater(w, middle)), L.Create(above), w);
                    L.Store(L.Select(L.And(live, L.Greater(middle, w)), L.Create(below), result), at + i);
                }
            }
        }
    }
}
