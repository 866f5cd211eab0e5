using System.Globalization;
using Asni.Devices;
using Asni.Networks;
using Asni.Tensors;

namespace Asni.Pruning;

/// <summary>
/// Cells of R outputs by C inputs, at the same place of a kernel, live or are pruned as a whole. A cell is worth the mean score of its weights (as in jaxpruner: Lee et al. 2023,
/// arXiv 2304.14082); at a layer's edge it is smaller. The best cells stay, as many as have at most K weights together, ties by (parameter, cell).
/// </summary>
/// <param name="Outputs">R.</param>
/// <param name="Inputs">C.</param>
internal sealed record BlockPattern(int Outputs, int Inputs) : WeightPattern
{
    public override string ToString() => string.Create(CultureInfo.InvariantCulture, $"block{Outputs}x{Inputs}");

    internal override Selection Select(DeviceParameters parameters, Ranking ranking) => new OfCells(this, parameters, ranking);

    internal override void Validate(PruningParts parts)
    {
        if (parts.MinimumKept > 0 || parts.Allocation is AllocationKind.Lamp or AllocationKind.Normalized)
            throw new UsageException($"the pattern {this} prunes whole cells: min-kept and the allocations lamp and normalized, which look at single weights, do not go with it.");
    }

    /// <param name="Tensor">Place among the tensors.</param>
    /// <param name="Index">Place in the tensor's grid.</param>
    /// <param name="Live">Weights.</param>
    private readonly record struct Cell(double Score, int Tensor, int Index, int Live) : IComparable<Cell>
    {
        /// <summary>The best come first.</summary>
        public int CompareTo(Cell other) => Score != other.Score ? other.Score.CompareTo(Score) : Tensor != other.Tensor ? Tensor.CompareTo(other.Tensor) : Index.CompareTo(other.Index);
    }

    /// <summary>The cells of a tensor (outputs, inputs, height, width), by rows of cells, then columns, then places of the kernel.</summary>
    private readonly struct Grid(Parameter tensor, BlockPattern pattern)
    {
        private readonly int _inputs = Inputs(tensor), _taps = (int)(tensor.Elements / tensor.Shape[0] / Inputs(tensor)), _rows = pattern.Outputs, _columns = pattern.Inputs;

        public int Cells => (tensor.Shape[0] - 1) / _rows * Across + Across;

        /// <summary>Cells of one row.</summary>
        private int Across => ((_inputs - 1) / _columns + 1) * _taps;

        public int CellOf(int element) => element / (_inputs * _taps) / _rows * Across + element / _taps % _inputs / _columns * _taps + element % _taps;

        private static int Inputs(Parameter tensor) => tensor.Shape.Rank > 1 ? tensor.Shape[1] : 1;
    }

    private sealed class OfCells(BlockPattern pattern, DeviceParameters parameters, Ranking ranking) : PatternSelection(parameters, ranking)
    {
        protected override (IReadOnlyList<(Parameter Tensor, Mask Mask)> Masks, double? Cut) Find(IReadOnlyCollection<Parameter> tensors, long kept)
        {
            Parameter[] all = [.. tensors.OrderBy(p => p.Index)];
            Mask[] masks = [.. all.Select(MaskOf)];
            Cell[] cells = [.. all.SelectMany((p, i) => LiveCells(p, i, masks[i]))];
            Array.Sort(cells);
            int stay = 0;
            for (long sum = 0; stay < cells.Length && (sum += cells[stay].Live) <= kept;) stay++;
            bool[][] goes = [.. all.Select(p => new bool[new Grid(p, pattern).Cells])];
            foreach (Cell cell in cells.AsSpan(stay)) goes[cell.Tensor][cell.Index] = true;
            for (int i = 0; i < all.Length; i++) Remove(all[i], masks[i], goes[i]);
            return ([.. all.Zip(masks)], stay > 0 ? cells[stay - 1].Score : null);
        }

        private IEnumerable<Cell> LiveCells(Parameter p, int place, Mask mask)
        {
            var grid = new Grid(p, pattern);
            float[] ranks = Ranks(p, mask);
            (double[] sums, int[] sizes, int[] live) = (new double[grid.Cells], new int[grid.Cells], new int[grid.Cells]);
            for (int i = 0; i < ranks.Length; i++)
            {
                int cell = grid.CellOf(i);
                sizes[cell]++;
                if (!mask[i]) continue;
                live[cell]++;
                sums[cell] += ranks[i];
            }
            return Enumerable.Range(0, sums.Length).Where(c => live[c] > 0).Select(c => new Cell(sums[c] / sizes[c], place, c, live[c]));
        }

        private void Remove(Parameter p, Mask mask, bool[] goes)
        {
            var grid = new Grid(p, pattern);
            for (int i = 0; i < p.Elements; i++)
                if (mask[i] && goes[grid.CellOf(i)]) mask[i] = false;
        }
    }
}
