using System.Numerics;
using Asni.Networks;
using Asni.Tensors;

namespace Asni.Cpu;

internal sealed unsafe partial class CpuParameters
{
    protected override void SetMaskCore(int parameter, Mask? mask)
    {
        _values.Changed();
        Parameter p = Parameters[parameter];
        ScatterState(parameter);
        _live[parameter] = mask?.Live ?? p.Elements;
        _masked[parameter] = _live[parameter] < p.Elements;
        if (!_masked[parameter]) return;
        ulong* words = MaskWords(parameter);
        var order = new TorchOrder(p.Filter);
        for (long i = 0; i < p.Elements; i += 64)
        {
            ulong word = 0;
            int bits = (int)Math.Min(64, p.Elements - i);
            for (int bit = 0; bit < bits; bit++, order.Next())
                if (mask![order.Index]) word |= 1UL << bit;
            words[i / 64] = word;
        }
        ClearPruned(parameter);
    }

    public override Mask? GetMask(int parameter)
    {
        if (!_masked[parameter]) return null;
        Parameter p = Parameters[parameter];
        ulong* words = MaskWords(parameter);
        var mask = new Mask(p.Elements, live: false);
        // Rows of outputs, a row for each tap and input; only live elements cost.
        long row = 0, end = p.Filter.Out, first = 0, taps = p.Filter.Height * p.Filter.Width, inputs = p.Filter.In;
        for (long i = 0; i < (p.Elements + 63) / 64; i++)
            for (ulong word = words[i]; word != 0; word &= word - 1)
            {
                long at = i * 64 + BitOperations.TrailingZeroCount(word);
                if (at >= end)
                {
                    for (; at >= end; end += p.Filter.Out) row++;
                    first = row % inputs * taps + row / inputs;
                }
                mask[(at - end + p.Filter.Out) * inputs * taps + first] = true;
            }
        return mask;
    }

    private ulong* MaskWords(int parameter)
    {
        _masks ??= new CpuBuffer(_length / 8);
        return Masks + _offsets[parameter] / 64;
    }

    /// <summary>Gives a parameter without a mask one with every bit set.</summary>
    private void EnsureMask(int parameter)
    {
        if (_masked[parameter]) return;
        ulong* words = MaskWords(parameter);
        long elements = Parameters[parameter].Elements;
        new Span<ulong>(words, (int)(elements / 64)).Fill(ulong.MaxValue);
        if (elements % 64 != 0) words[elements / 64] = (1UL << (int)(elements % 64)) - 1;
        _masked[parameter] = true;
    }

    /// <summary>Makes values and state of pruned elements +0.</summary>
    private void ClearPruned(int parameter)
    {
        _list.Clear();
        _list.Add(Parameters[parameter], _offsets[parameter], true);
        _workers.Vectorize(_list.Elements, new ClearBody(_list, Values, State0, State1, Masks));
    }

    /// <summary>PyTorch's index of each element in the device's order.</summary>
    private struct TorchOrder(FilterShape filter)
    {
        private readonly int _taps = filter.Height * filter.Width;
        private int _output, _input, _tap;

        public readonly long Index => ((long)_output * filter.In + _input) * _taps + _tap;

        public void Next()
        {
            if (++_output < filter.Out) return;
            _output = 0;
            if (++_input < filter.In) return;
            _input = 0;
            _tap++;
        }
    }

    private readonly struct ClearBody(Segments list, float* values, float* state0, float* state1, ulong* masks) : IVectorBody
    {
        public void Execute<L, V>(int worker, int workers) where L : struct, ILanes<V> where V : struct
        {
            foreach (Piece piece in list.Pieces(worker, workers))
            {
                long offset = piece.Segment.Offset;
                for (long i = piece.From; i < piece.To; i += L.Count)
                {
                    V live = L.Mask(MaskBits.Read(masks, offset + i));
                    Clear<L, V>(values + offset + i, live);
                    if (state0 != null) Clear<L, V>(state0 + offset + i, live);
                    if (state1 != null) Clear<L, V>(state1 + offset + i, live);
                }
            }
        }

        private static void Clear<L, V>(float* p, V live) where L : struct, ILanes<V> where V : struct => L.Store(L.And(live, L.Load(p)), p);
    }
}

internal static unsafe class MaskBits
{
    /// <summary>The bits of the elements from a place that is a multiple of the vector's length, lowest first; more follow than one vector has lanes.</summary>
    public static uint Read(ulong* masks, long element) => (uint)(masks[element >> 6] >> (int)(element & 63));

    /// <summary>The bits of the elements from any place, lowest first; more follow than one vector has lanes.</summary>
    public static uint ReadAnywhere(ulong* masks, long element)
    {
        int shift = (int)(element & 63);
        ulong low = masks[element >> 6] >> shift;
        return (uint)(shift > 32 ? low | masks[(element >> 6) + 1] << (64 - shift) : low);
    }

    public static bool Lives(ulong* masks, long element) => (masks[element >> 6] >> (int)(element & 63) & 1) != 0;

    /// <summary>All lanes' bits.</summary>
    public static uint All(int lanes) => (1u << lanes) - 1;

    /// <summary>The bits of the live elements of a segment from element i: its mask's, or all, cut at its end.</summary>
    public static uint Live(ulong* masks, in Segment segment, long i, int lanes)
    {
        uint bits = segment.Masked ? Read(masks, segment.Offset + i) & All(lanes) : All(lanes);
        long rest = segment.Count - i;
        return rest >= lanes ? bits : bits & All((int)rest);
    }
}
