using Asni.Devices;
using Asni.Tensors;

namespace Asni.Cpu.Convolution;

/// <summary>
/// The forward pass or the data gradient of a depthwise convolution: y = sum over taps of x * w, channel by channel. Sums stay in registers, those of four positions of a row
/// at once where all taps meet the source; each is over the filter's taps in their order.
/// </summary>
internal sealed unsafe class DepthwisePass : IDisposable
{
    /// <summary>Positions that are computed at once.</summary>
    private const int Together = 4;

    private readonly DepthwiseAxis[] _rows, _columns;
    private readonly Chw _source, _target;
    private readonly int _kernelWidth, _kernelHeight;

    /// <summary>The taps of a position, for each worker.</summary>
    private readonly CpuBuffer _taps;
    private readonly Workers _workers;

    /// <param name="backward">From dy to dx.</param>
    public DepthwisePass(in ConvolutionSpec spec, bool backward, Workers workers)
    {
        _workers = workers;
        (_source, _target) = backward ? (spec.Output, spec.Input) : (spec.Input, spec.Output);
        (_kernelHeight, _kernelWidth) = (spec.Filter.Height, spec.Filter.Width);
        _rows = backward ? DepthwiseAxis.Backward(spec.Input.Height, spec.Output.Height, _kernelHeight, spec.Stride, spec.Padding)
            : [DepthwiseAxis.Forward(spec.Input.Height, spec.Output.Height, _kernelHeight, spec.Stride, spec.Padding)];
        _columns = backward ? DepthwiseAxis.Backward(spec.Input.Width, spec.Output.Width, _kernelWidth, spec.Stride, spec.Padding)
            : [DepthwiseAxis.Forward(spec.Input.Width, spec.Output.Width, _kernelWidth, spec.Stride, spec.Padding)];
        _taps = new CpuBuffer((long)workers.Count * _kernelHeight * _kernelWidth * sizeof(DepthwiseTap));
    }

    /// <param name="w">[height, width, channels]</param>
    /// <param name="macs">Of the batch.</param>
    public void Run(float* x, float* w, float* bias, bool accumulate, Clamp clamp, int batch, long macs, float* y) => _workers.Vectorize(macs, new Body
    {
        Pass = this,
        X = x,
        W = w,
        Y = y,
        Batch = batch,
        Accumulate = accumulate,
        Epilogue = new Epilogue(_target.Channels, bias, false, clamp),
    });

    public void Dispose() => _taps.Dispose();

    private struct Body : IVectorBody
    {
        public DepthwisePass Pass;
        public float* X, W, Y;
        public int Batch;
        public bool Accumulate;
        public Epilogue Epilogue;

        public readonly void Execute<L, V>(int worker, int workers) where L : struct, ILanes<V> where V : struct
        {
            int height = Pass._target.Height, remainders = Pass._rows.Length;
            (long from, long to) = Partition.Range((long)Batch * height, worker, workers);
            DepthwiseTap* taps = (DepthwiseTap*)Pass._taps.Pointer + worker * Pass._kernelHeight * Pass._kernelWidth;
            for (long row = from; row < to; row++)
            {
                long image = row / height;
                int within = (int)(row % height);
                DepthwiseAxis rows = Pass._rows[within % remainders];
                float* x = X + image * Pass._source.Elements, y = Y + row * Pass._target.Width * Pass._target.Channels;
                foreach (DepthwiseAxis columns in Pass._columns)
                    Row<L, V>(rows, within / remainders, columns, x, y, taps);
            }
        }

        private readonly void Row<L, V>(DepthwiseAxis rows, int row, DepthwiseAxis columns, float* x, float* y, DepthwiseTap* list) where L : struct, ILanes<V> where V : struct
        {
            int channels = Pass._source.Channels;
            nint step = columns.Step * channels, targetStep = columns.TargetStep * channels;
            x += (nint)row * rows.Step * columns.Source * channels;
            y += (nint)columns.Origin * channels;
            int column = 0;
            for (; column < columns.WholeFrom; column++) One<L, V>(list, Collect(rows, row, columns, column, list), x + column * step, y + column * targetStep);
            int count = column < columns.WholeTo ? Collect(rows, row, columns, column, list) : 0;
            for (; column <= columns.WholeTo - Together; column += Together) Four<L, V>(list, count, x + column * step, step, y + column * targetStep, targetStep);
            for (; column < columns.WholeTo; column++) One<L, V>(list, count, x + column * step, y + column * targetStep);
            for (; column < columns.Places; column++) One<L, V>(list, Collect(rows, row, columns, column, list), x + column * step, y + column * targetStep);
        }

        /// <summary>The taps that a position reads.</summary>
        private readonly int Collect(DepthwiseAxis rows, int row, DepthwiseAxis columns, int column, DepthwiseTap* list)
        {
            Span<(int Shift, int Tap)> rowTaps = stackalloc (int, int)[Pass._kernelHeight], columnTaps = stackalloc (int, int)[Pass._kernelWidth];
            int rowCount = rows.Read(row, rowTaps), columnCount = columns.Read(column, columnTaps), count = 0;
            int channels = Pass._source.Channels;
            foreach ((int rowShift, int rowTap) in rowTaps[..rowCount])
                foreach ((int columnShift, int columnTap) in columnTaps[..columnCount])
                    list[count++] = new DepthwiseTap(((nint)rowShift * columns.Source + columnShift) * channels, W + (rowTap * Pass._kernelWidth + columnTap) * channels);
            return count;
        }

        private readonly void Four<L, V>(DepthwiseTap* taps, int count, float* x, nint step, float* y, nint targetStep) where L : struct, ILanes<V> where V : struct
        {
            int channels = Pass._source.Channels, c = 0;
            for (; c <= channels - 2 * L.Count; c += 2 * L.Count) Pair<L, V>(taps, count, x + c, step, y + c, targetStep, c);
            for (int r = 0; r < Together && c < channels; r++) One<L, V>(taps, count, x + r * step, y + r * targetStep, c);
        }

        /// <summary>Four positions of two vectors of channels, from <paramref name="c"/> on.</summary>
        private readonly void Pair<L, V>(DepthwiseTap* taps, int count, float* x, nint step, float* y, nint targetStep, int c) where L : struct, ILanes<V> where V : struct
        {
            float* z = y + L.Count;
            V y0 = Start<L, V>(y), y1 = Start<L, V>(y + targetStep), y2 = Start<L, V>(y + 2 * targetStep), y3 = Start<L, V>(y + 3 * targetStep);
            V z0 = Start<L, V>(z), z1 = Start<L, V>(z + targetStep), z2 = Start<L, V>(z + 2 * targetStep), z3 = Start<L, V>(z + 3 * targetStep);
            for (int t = 0; t < count; t++)
            {
                float* p = x + taps[t].Offset, w = taps[t].Values + c;
                V low = L.Load(w), high = L.Load(w + L.Count);
                y0 = L.Fma(L.Load(p), low, y0);
                z0 = L.Fma(L.Load(p + L.Count), high, z0);
                p += step;
                y1 = L.Fma(L.Load(p), low, y1);
                z1 = L.Fma(L.Load(p + L.Count), high, z1);
                p += step;
                y2 = L.Fma(L.Load(p), low, y2);
                z2 = L.Fma(L.Load(p + L.Count), high, z2);
                p += step;
                y3 = L.Fma(L.Load(p), low, y3);
                z3 = L.Fma(L.Load(p + L.Count), high, z3);
            }
            int d = c + L.Count;
            L.Store(Epilogue.Finish<L, V>(y0, c), y);
            L.Store(Epilogue.Finish<L, V>(z0, d), z);
            L.Store(Epilogue.Finish<L, V>(y1, c), y + targetStep);
            L.Store(Epilogue.Finish<L, V>(z1, d), z + targetStep);
            L.Store(Epilogue.Finish<L, V>(y2, c), y + 2 * targetStep);
            L.Store(Epilogue.Finish<L, V>(z2, d), z + 2 * targetStep);
            L.Store(Epilogue.Finish<L, V>(y3, c), y + 3 * targetStep);
            L.Store(Epilogue.Finish<L, V>(z3, d), z + 3 * targetStep);
        }

        /// <summary>A position's channels from <paramref name="c"/> on.</summary>
        private readonly void One<L, V>(DepthwiseTap* taps, int count, float* x, float* y, int c = 0) where L : struct, ILanes<V> where V : struct
        {
            int channels = Pass._source.Channels;
            for (; c <= channels - 4 * L.Count; c += 4 * L.Count)
            {
                float* to = y + c;
                V y0 = Start<L, V>(to), y1 = Start<L, V>(to + L.Count), y2 = Start<L, V>(to + 2 * L.Count), y3 = Start<L, V>(to + 3 * L.Count);
                for (int t = 0; t < count; t++)
                {
                    float* p = x + c + taps[t].Offset, w = taps[t].Values + c;
                    y0 = L.Fma(L.Load(p), L.Load(w), y0);
                    y1 = L.Fma(L.Load(p + L.Count), L.Load(w + L.Count), y1);
                    y2 = L.Fma(L.Load(p + 2 * L.Count), L.Load(w + 2 * L.Count), y2);
                    y3 = L.Fma(L.Load(p + 3 * L.Count), L.Load(w + 3 * L.Count), y3);
                }
                L.Store(Epilogue.Finish<L, V>(y0, c), to);
                L.Store(Epilogue.Finish<L, V>(y1, c + L.Count), to + L.Count);
                L.Store(Epilogue.Finish<L, V>(y2, c + 2 * L.Count), to + 2 * L.Count);
                L.Store(Epilogue.Finish<L, V>(y3, c + 3 * L.Count), to + 3 * L.Count);
            }
            for (; c <= channels - L.Count; c += L.Count)
            {
                V sum = Start<L, V>(y + c);
                for (int t = 0; t < count; t++) sum = L.Fma(L.Load(x + c + taps[t].Offset), L.Load(taps[t].Values + c), sum);
                L.Store(Epilogue.Finish<L, V>(sum, c), y + c);
            }
            if (c < channels) Rest<L, V>(taps, count, x, y, c);
        }

        /// <summary>The last channels of a position, fewer than a vector.</summary>
        private readonly void Rest<L, V>(DepthwiseTap* taps, int count, float* x, float* y, int c) where L : struct, ILanes<V> where V : struct
        {
            int rest = Pass._source.Channels - c;
            V sum = Accumulate ? L.LoadFirst(y + c, rest) : default;
            for (int t = 0; t < count; t++) sum = L.Fma(L.LoadFirst(x + c + taps[t].Offset, rest), L.LoadFirst(taps[t].Values + c, rest), sum);
            L.StoreFirst(Epilogue.FinishFirst<L, V>(sum, c, rest), y + c, rest);
        }

        private readonly V Start<L, V>(float* y) where L : struct, ILanes<V> where V : struct => Accumulate ? L.Load(y) : default;
    }
}
