using Asni.Devices;
using Asni.Networks;

namespace Asni.Cpu;

internal sealed unsafe partial class CpuParameters
{
    protected override void MarkGroupsCore(int parameter, int of, int keep, int positions, Ranking ranking)
    {
        float* numbers = Slot(ranking.Slot(), write: true), gates = Slot(ParameterSlot.Gate, write: true);
        var groups = new Groups(Parameters[parameter].Filter, of, positions);
        long offset = _offsets[parameter];
        ulong* masks = _masked[parameter] ? Masks : null;
        if (ranking.IsSigned()) _workers.Vectorize(Parameters[parameter].Elements, new MarkGroupsBody<ByScore>(groups, keep, offset, numbers, gates, masks));
        else _workers.Vectorize(Parameters[parameter].Elements, new MarkGroupsBody<ByMagnitude>(groups, keep, offset, numbers, gates, masks));
    }

    /// <summary>Groups of <paramref name="Size"/> inputs of a filter, of all its outputs at once, which lie side by side as a row.</summary>
    /// <param name="Positions">Input j is channel j / positions, at position j % positions of the filter.</param>
    private readonly record struct Groups(FilterShape Filter, int Size, int Positions)
    {
        private readonly int _inputs = Filter.In * Positions;

        public int Outputs => Filter.Out;

        public int Count => (int)(Filter.FanIn / Size);

        /// <summary>The first element of the row of a group's input.</summary>
        public long Row(int group, int input)
        {
            int tap = group / (_inputs / Size), j = group % (_inputs / Size) * Size + input;
            return ((tap + j % Positions) * (long)Filter.In + j / Positions) * Filter.Out;
        }
    }

    /// <param name="masks">Null where all live.</param>
    private readonly struct MarkGroupsBody<R>(Groups groups, int keep, long offset, float* numbers, float* gates, ulong* masks) : IVectorBody where R : IRank
    {
        public void Execute<L, V>(int worker, int workers) where L : struct, ILanes<V> where V : struct
        {
            var rows = new long[groups.Size];
            (long from, long to) = Partition.Range(groups.Count, worker, workers);
            for (long group = from; group < to; group++)
            {
                for (int i = 0; i < rows.Length; i++) rows[i] = offset + groups.Row((int)group, i);
                int o = 0;
                for (; o <= groups.Outputs - L.Count; o += L.Count)
                    for (int own = 0; own < rows.Length; own++) Mark<L, V>(rows, own, o);
                for (; o < groups.Outputs; o++)
                    for (int own = 0; own < rows.Length; own++) MarkOne(rows, own, o);
            }
        }

        private void Mark<L, V>(long[] rows, int own, int o) where L : struct, ILanes<V> where V : struct
        {
            V rank = R.Rank<L, V>(L.Load(numbers + rows[own] + o)), one = L.Create(1), better = L.Create(0);
            for (int i = 0; i < rows.Length; i++)
            {
                if (i == own) continue;
                V other = R.Rank<L, V>(L.Load(numbers + rows[i] + o));
                better = L.Add(better, L.And(Live<L, V>(i < own ? L.GreaterOrEqual(other, rank) : L.Greater(other, rank), rows[i] + o), one));
            }
            L.Store(L.And(Live<L, V>(L.Greater(L.Create(keep), better), rows[own] + o), one), gates + rows[own] + o);
        }

        private void MarkOne(long[] rows, int own, int o)
        {
            float rank = R.Rank(numbers[rows[own] + o]);
            int better = 0;
            for (int i = 0; i < rows.Length; i++)
            {
                float other = R.Rank(numbers[rows[i] + o]);
                if ((i < own ? other >= rank : i > own && other > rank) && Lives(rows[i] + o)) better++;
            }
            gates[rows[own] + o] = better < keep && Lives(rows[own] + o) ? 1 : 0;
        }

        /// <summary>Those lanes of a mask whose elements live.</summary>
        private V Live<L, V>(V mask, long at) where L : struct, ILanes<V> where V : struct =>
            masks == null ? mask : L.And(L.Mask(MaskBits.ReadAnywhere(masks, at) & MaskBits.All(L.Count)), mask);

        private bool Lives(long at) => masks == null || MaskBits.Lives(masks, at);
    }
}
