using Asni.Networks;
using Asni.Tensors;

namespace Asni.Cpu.Sparse;

/// <summary>
/// Where the live weights of a linear layer are: for each line (an output, or an input in the transposed form) its live partners and the
/// places of their values in the HWIO filter. Lines are shared among workers by live weights. Rebuilt when the mask changes; the values
/// themselves stay in the filter.
/// </summary>
internal sealed class SparseMatrix
{
    private SparseMatrix(int[] starts, int[] partners, int[] places, int workers)
    {
        (Starts, Partners, Places) = (starts, partners, places);
        Shares = new int[workers + 1];
        int lines = starts.Length - 1, live = starts[^1];
        for (int worker = 0, line = 0; worker <= workers; worker++)
        {
            // An empty line costs something too: its result must be written.
            while (line < lines && worker < workers && starts[line] + line < ((long)live + lines) * worker / workers) line++;
            Shares[worker] = worker == workers ? lines : line;
        }
    }

    /// <summary>Line n's entries are Starts[n] .. Starts[n + 1] - 1.</summary>
    public int[] Starts { get; }

    public int[] Partners { get; }
    public int[] Places { get; }

    /// <summary>Worker t takes lines Shares[t] .. Shares[t + 1] - 1.</summary>
    public int[] Shares { get; }

    public int Live => Starts[^1];

    /// <summary>Both forms of a mask in PyTorch's order: by output (partners are inputs) and by input (partners are outputs).</summary>
    /// <param name="filter">The layer's filter; its input (C, H, W) is read flattened as (H, W, C), as activations lie on this device.</param>
    public static (SparseMatrix ByOutput, SparseMatrix ByInput) Create(Mask mask, FilterShape filter, int workers)
    {
        int outputs = filter.Out, inputs = filter.FanIn, live = checked((int)mask.Live);
        var starts = new int[outputs + 1];
        var counts = new int[inputs + 1];
        var partners = new int[live];
        var places = new int[live];
        int at = 0;
        for (int o = 0; o < outputs; o++)
        {
            for (int h = 0, i = 0; h < filter.Height * filter.Width; h++)
                for (int c = 0; c < filter.In; c++, i++)
                {
                    if (!mask[((long)o * filter.In + c) * (filter.Height * filter.Width) + h]) continue;
                    (partners[at], places[at]) = (i, checked(i * outputs + o));
                    counts[i + 1]++;
                    at++;
                }
            starts[o + 1] = at;
        }
        return (new SparseMatrix(starts, partners, places, workers), Transpose(counts, starts, partners, places, workers));
    }

    private static SparseMatrix Transpose(int[] counts, int[] starts, int[] partners, int[] places, int workers)
    {
        for (int i = 1; i < counts.Length; i++) counts[i] += counts[i - 1];
        var next = (int[])counts.Clone();
        var transposed = new int[partners.Length];
        var moved = new int[partners.Length];
        for (int o = 0; o + 1 < starts.Length; o++)
            for (int k = starts[o]; k < starts[o + 1]; k++)
            {
                int to = next[partners[k]]++;
                (transposed[to], moved[to]) = (o, places[k]);
            }
        return new SparseMatrix(counts, transposed, moved, workers);
    }
}
