using System.Numerics;
using Asni.Devices;

namespace Asni.Cpu;

internal sealed unsafe partial class CpuParameters
{
    /// <summary>Per worker and listed parameter.</summary>
    private readonly SignStatistics[] _signStatistics;

    public override void SumBySign(ReadOnlySpan<int> parameters, ReadOnlySpan<float> pivots, Span<SignStatistics> sums, ParameterSlot slot = ParameterSlot.Value)
    {
        // The list goes by ascending index; pivots and sums by the caller's order.
        List(parameters);
        Array.Clear(_signStatistics);
        fixed (float* pivot = pivots)
        fixed (int* order = parameters)
            _workers.Vectorize(_list.Elements, new SumBody(_list, order, parameters.Length, pivot, Slot(slot, write: true), Masks, _signStatistics));
        sums[..parameters.Length].Clear();
        for (int i = 0; i < parameters.Length; i++)
        {
            int place = Place(parameters[i]);
            for (int worker = 0; worker < _workers.Count; worker++)
            {
                SignStatistics part = _signStatistics[worker * _list.Count + place];
                sums[i] = new SignStatistics(sums[i].SumAbove + part.SumAbove, sums[i].CountAbove + part.CountAbove,
                    sums[i].SumBelow + part.SumBelow, sums[i].CountBelow + part.CountBelow);
            }
        }
    }

    public override void AssignBySign(int parameter, float pivot, float above, float below)
    {
        _values.Changed();
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

    private readonly struct SumBody(Segments list, int* order, int count, float* pivots, float* values, ulong* masks, SignStatistics[] statistics) : IVectorBody
    {
        public void Execute<L, V>(int worker, int workers) where L : struct, ILanes<V> where V : struct
        {
            foreach (Piece piece in list.Pieces(worker, workers))
            {
                int caller = new ReadOnlySpan<int>(order, count).IndexOf(piece.Segment.Parameter.Index);
                statistics[worker * list.Count + piece.Index] = Sum<L, V>(piece, pivots[caller]);
            }
        }

        /// <summary>The sums stay in registers of doubles, so that reading the values is what takes the time.</summary>
        private SignStatistics Sum<L, V>(in Piece piece, float pivot) where L : struct, ILanes<V> where V : struct
        {
            V middle = L.Create(pivot), aboveLower = default, aboveUpper = default, belowLower = default, belowUpper = default;
            long above = 0, below = 0;
            float* from = values + piece.Segment.Offset;
            long to = piece.To, whole = piece.Segment.Masked ? 0 : piece.To - L.Count + 1;
            for (long i = piece.From; i < to; i += L.Count)
            {
                V w = L.Load(from + i);
                // What doesn't live is made equal to the pivot, which belongs to neither side.
                if (i >= whole) w = L.Select(L.Mask(MaskBits.Live(masks, piece.Segment, i, L.Count)), w, middle);
                V greater = L.Greater(w, middle), less = L.Greater(middle, w);
                above += BitOperations.PopCount(L.Bits(greater));
                below += BitOperations.PopCount(L.Bits(less));
                V high = L.Select(greater, w, default), low = L.Select(less, w, default);
                aboveLower = L.AddLowerInDouble(aboveLower, high);
                aboveUpper = L.AddUpperInDouble(aboveUpper, high);
                belowLower = L.AddLowerInDouble(belowLower, low);
                belowUpper = L.AddUpperInDouble(belowUpper, low);
            }
            float* doubles = stackalloc float[4 * L.Count];
            L.Store(aboveLower, doubles);
            L.Store(aboveUpper, doubles + L.Count);
            L.Store(belowLower, doubles + 2 * L.Count);
            L.Store(belowUpper, doubles + 3 * L.Count);
            return new SignStatistics(Total((double*)doubles, L.Count), above, Total((double*)doubles + L.Count, L.Count), below);
        }

        private static double Total(double* terms, int count)
        {
            double total = 0;
            for (int i = 0; i < count; i++) total += terms[i];
            return total;
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
