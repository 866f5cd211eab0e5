using System.Numerics;
using Asni.Devices;

namespace Asni.Cpu;

internal sealed unsafe partial class CpuParameters
{
    public override void Pack(ReadOnlySpan<int> parameters, ParameterSlot slot, bool dense, Span<float> to)
    {
        RequirePackedLength(parameters, dense, to.Length);
        fixed (float* packed = to) Move(parameters, slot, dense, packed, unpack: false);
    }

    public override void Unpack(ReadOnlySpan<int> parameters, ParameterSlot slot, bool dense, ReadOnlySpan<float> from)
    {
        RequirePackedLength(parameters, dense, from.Length);
        if (slot == ParameterSlot.Value) _values.Changed();
        fixed (float* packed = from) Move(parameters, slot, dense, packed, unpack: true);
    }

    private void Move(ReadOnlySpan<int> parameters, ParameterSlot slot, bool dense, float* packed, bool unpack)
    {
        foreach (int p in parameters)
        {
            bool all = dense || !_masked[p];
            Move(p, slot, all, packed, unpack);
            packed += all ? Parameters[p].Elements : _live[p];
        }
    }

    private void Move(int parameter, ParameterSlot slot, bool all, float* packed, bool unpack)
    {
        Require(parameter, slot, Parameters[parameter].Elements);
        if (IsState(slot)) ScatterState(parameter);
        _list.Clear();
        _list.Add(Parameters[parameter], _offsets[parameter], masked: !all);
        _workers.Vectorize(_list.Elements, new PackBody(_list, Slot(slot, write: true) + _offsets[parameter], all ? null : MaskWords(parameter), packed, unpack));
    }

    /// <summary>The live elements of one parameter side by side, or back to their places.</summary>
    /// <param name="words">Its mask; null: all live.</param>
    private readonly struct PackBody(Segments list, float* elements, ulong* words, float* packed, bool unpack) : IVectorBody
    {
        public void Execute<L, V>(int worker, int workers) where L : struct, ILanes<V> where V : struct
        {
            foreach (Piece piece in list.Pieces(worker, workers))
            {
                if (words == null) Copy(elements + piece.From, packed + piece.From, piece.To - piece.From);
                else MoveLive(piece.From / Segments.Grain, (piece.To + Segments.Grain - 1) / Segments.Grain);
            }
        }

        private void MoveLive(long first, long end)
        {
            float* at = packed;
            for (long i = 0; i < first; i++) at += BitOperations.PopCount(words[i]);
            for (long i = first; i < end; i++)
            {
                ulong word = words[i];
                float* place = elements + i * Segments.Grain;
                if (word == ulong.MaxValue)
                {
                    Copy(place, at, Segments.Grain);
                    at += Segments.Grain;
                }
                else if (unpack)
                    for (; word != 0; word &= word - 1) place[BitOperations.TrailingZeroCount(word)] = *at++;
                else
                    for (; word != 0; word &= word - 1) *at++ = place[BitOperations.TrailingZeroCount(word)];
            }
        }

        private void Copy(float* place, float* at, long count)
        {
            if (unpack) Buffer.MemoryCopy(at, place, count * sizeof(float), count * sizeof(float));
            else Buffer.MemoryCopy(place, at, count * sizeof(float), count * sizeof(float));
        }
    }
}
