using Asni.Devices;
using Asni.Networks;

namespace Asni.Cpu;

internal sealed unsafe partial class CpuParameters
{
    protected override void SumOutputSquaresCore(ReadOnlySpan<int> parameters, Span<double> sums)
    {
        sums.Clear();
        List(parameters);
        fixed (double* to = sums) _workers.Vectorize(_list.Elements, new OutputSquaresBody(Columns(parameters), Values, to));
    }

    protected override void CombineOutputsCore(ReadOnlySpan<int> parameters, ReadOnlySpan<float> factors, ParameterSlot y, float b)
    {
        if (y == ParameterSlot.Value) _values.Changed();
        List(parameters);
        fixed (float* by = factors) _workers.Vectorize(_list.Elements, new CombineOutputsBody(Columns(parameters), Values, by, Slot(y, write: true), b, Masks));
    }

    private OutputColumns[] Columns(ReadOnlySpan<int> parameters)
    {
        var columns = new OutputColumns[parameters.Length];
        int place = 0;
        for (int i = 0; i < columns.Length; i++)
        {
            FilterShape filter = Parameters[parameters[i]].Filter;
            columns[i] = new OutputColumns(_offsets[parameters[i]], filter.FanIn, filter.Out, place, _masked[parameters[i]]);
            place += filter.Out;
        }
        return columns;
    }

    /// <summary>A parameter as a matrix whose columns are outputs.</summary>
    /// <param name="Place">Of the first output among those of all parameters.</param>
    private readonly record struct OutputColumns(long Offset, int Rows, int Count, int Place, bool Masked)
    {
        /// <summary>Those of one worker: whole vectors, but for the last.</summary>
        public (int From, int To) Range(int lanes, int worker, int workers)
        {
            (long from, long to) = Partition.Range((Count + lanes - 1) / lanes, worker, workers);
            return ((int)from * lanes, Math.Min(Count, (int)to * lanes));
        }
    }

    private readonly struct OutputSquaresBody(OutputColumns[] parameters, float* values, double* sums) : IVectorBody
    {
        public void Execute<L, V>(int worker, int workers) where L : struct, ILanes<V> where V : struct
        {
            foreach (OutputColumns columns in parameters)
            {
                (int from, int to) = columns.Range(L.Count, worker, workers);
                double* sum = sums + columns.Place;
                for (int row = 0; row < columns.Rows; row++)
                {
                    float* w = values + columns.Offset + (long)row * columns.Count;
                    int o = from;
                    for (; o <= to - L.Count; o += L.Count)
                    {
                        V x = L.Load(w + o);
                        L.AddTo(L.Multiply(x, x), sum + o);
                    }
                    for (; o < to; o++) sum[o] += w[o] * w[o];
                }
            }
        }
    }

    private readonly struct CombineOutputsBody(OutputColumns[] parameters, float* values, float* factors, float* y, float b, ulong* masks) : IVectorBody
    {
        public void Execute<L, V>(int worker, int workers) where L : struct, ILanes<V> where V : struct
        {
            V old = L.Create(b);
            foreach (OutputColumns columns in parameters)
            {
                (int from, int to) = columns.Range(L.Count, worker, workers);
                float* f = factors + columns.Place;
                for (int row = 0; row < columns.Rows; row++)
                {
                    long start = columns.Offset + (long)row * columns.Count;
                    int o = from;
                    for (; o <= to - L.Count; o += L.Count)
                    {
                        long at = start + o;
                        V result = L.Multiply(L.Load(f + o), L.Load(values + at)), was = L.Load(y + at);
                        if (b != 0) result = L.Add(result, L.Multiply(old, was));
                        if (columns.Masked) result = L.Select(L.Mask(MaskBits.ReadAnywhere(masks, at) & MaskBits.All(L.Count)), result, was);
                        L.Store(result, y + at);
                    }
                    for (; o < to; o++)
                    {
                        long at = start + o;
                        if (!columns.Masked || MaskBits.Lives(masks, at)) y[at] = b == 0 ? f[o] * values[at] : f[o] * values[at] + b * y[at];
                    }
                }
            }
        }
    }
}
