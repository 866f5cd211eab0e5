using System.Numerics;
using Asni.Devices;

namespace Asni.Cpu;

internal sealed unsafe partial class CpuParameters
{
    public override void Pack(int parameter, ParameterSlot slot, bool dense, Span<float> to)
    {
        fixed (float* packed = to) Move(parameter, slot, dense, packed, to.Length, unpack: false);
    }

    public override void Unpack(int parameter, ParameterSlot slot, bool dense, ReadOnlySpan<float> from)
    {
        if (slot == ParameterSlot.Value) _values.Changed();
        fixed (float* packed = from) Move(parameter, slot, dense, packed, from.Length, unpack: true);
    }

    private void Move(int parameter, ParameterSlot slot, bool dense, float* packed, int count, bool unpack)
    {
        Require(parameter, slot, Parameters[parameter].Elements);
        bool all = dense || !_masked[parameter];
        long expected = all ? Parameters[parameter].Elements : _live[parameter];
        if (count != expected) throw new ArgumentException($"{Parameters[parameter].Name} has {expected} such elements, {count} were given");
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
