using Asni.Cpu.Convolution;
using Asni.Devices;
using Asni.Tensors;

namespace Asni.Cpu;

/// <summary>
/// Max pooling, vectors along the channels. Training keeps each winner's place in its window as a byte; backward, every input position gathers from
/// the windows that cover it, so that overlapping windows need neither clearing nor order between threads.
/// </summary>
internal sealed unsafe class CpuMaxPooling : PoolingOperation
{
    private readonly Workers _workers;
    private readonly CpuBuffer? _winners;

    public CpuMaxPooling(PoolingSpec spec, Workers workers) : base(spec)
    {
        if (spec.Size is < 1 or > 16 || spec.Stride < 1 || spec.Padding < 0 || 2 * spec.Padding > spec.Size)
            throw new AsniException($"max pooling of size {spec.Size}, stride {spec.Stride} and padding {spec.Padding} was asked for, expected size 1 to 16, " +
                "stride 1 or more and padding of at most half the size; change the network");
        _workers = workers;
        if (spec.Training) _winners = new CpuBuffer((long)spec.Batch * spec.Output.Elements);
    }

    public override void Forward(DeviceTensor x, DeviceTensor y)
    {
        byte* winners = _winners == null ? null : _winners.Pointer;
        var body = new ForwardBody(new Windows(Spec), _workers.Queue((long)x.Batch * Spec.Output.Height), CpuBuffer.Floats(x), CpuBuffer.Floats(y), winners);
        _workers.Vectorize(x.Elements, body);
    }

    public override void Backward(DeviceTensor dy, bool accumulate, DeviceTensor dx)
    {
        if (_winners == null) throw new InvalidOperationException("the pooling was prepared without training");
        var body = new BackwardBody(new Windows(Spec), _workers.Queue((long)dy.Batch * Spec.Input.Height), CpuBuffer.Floats(dy), _winners.Pointer, dy.Batch, accumulate, CpuBuffer.Floats(dx));
        _workers.Vectorize(dx.Elements, body);
    }

    public override void Dispose()
    {
        _winners?.Dispose();
        base.Dispose();
    }

    private readonly struct Windows(PoolingSpec spec)
    {
        public readonly int Size = spec.Size, Stride = spec.Stride, Padding = spec.Padding;
        public readonly Chw Input = spec.Input, Output = spec.Output;
    }

    private readonly struct ForwardBody(Windows w, WorkQueue rows, float* x, float* y, byte* winners) : IVectorBody
    {
        public void Execute<L, V>(int worker, int workers) where L : struct, ILanes<V> where V : struct
        {
            int channels = w.Input.Channels;
            for (int row; (row = rows.Next(worker)) >= 0;)
            {
                int top = row % w.Output.Height * w.Stride - w.Padding;
                float* sample = x + (long)(row / w.Output.Height) * w.Input.Elements;
                int firstRow = Math.Max(0, top), lastRow = Math.Min(w.Input.Height, top + w.Size);
                for (int column = 0; column < w.Output.Width; column++)
                {
                    int left = column * w.Stride - w.Padding;
                    int firstColumn = Math.Max(0, left), lastColumn = Math.Min(w.Input.Width, left + w.Size);
                    long at = ((long)row * w.Output.Width + column) * channels;
                    byte* kept = winners == null ? null : winners + at;
                    // Where the window's own corner would lie: its places count from there.
                    long corner = ((long)top * w.Input.Width + left) * channels;
                    var place = new Place(firstRow - top, lastRow - top, firstColumn - left, lastColumn - left);
                    for (int i = 0; i < w.Stride; i++) Prefetch.Piece(sample + ((long)(lastRow + i) * w.Input.Width + firstColumn) * channels, w.Stride * channels);
                    Window<L, V>(sample + corner, place, y + at, kept);
                }
            }
        }

        private void Window<L, V>(float* corner, Place place, float* output, byte* kept) where L : struct, ILanes<V> where V : struct
        {
            int channels = w.Input.Channels, c = 0;
            for (; c <= channels - L.Count; c += L.Count)
            {
                V best = default, winner = default;
                bool first = true;
                for (int i = place.Top; i < place.Bottom; i++)
                {
                    for (int j = place.Left; j < place.Right; j++)
                    {
                        V value = L.Load(corner + ((long)i * w.Input.Width + j) * channels + c);
                        // A NaN wins, and then stays.
                        V keep = first ? default : L.Or(L.GreaterOrEqual(best, value), L.IsNaN(best));
                        best = L.Select(keep, best, value);
                        winner = L.Select(keep, winner, L.CreateInteger(i * w.Size + j));
                        first = false;
                    }
                }
                L.Store(best, output + c);
                if (kept != null) L.StoreBytes(winner, kept + c);
            }
            for (; c < channels; c++) Channel(corner + c, place, output + c, kept == null ? null : kept + c);
        }

        private void Channel(float* corner, Place place, float* output, byte* kept)
        {
            float best = 0;
            int winner = -1;
            for (int i = place.Top; i < place.Bottom; i++)
            {
                for (int j = place.Left; j < place.Right; j++)
                {
                    float value = corner[((long)i * w.Input.Width + j) * w.Input.Channels];
                    if (winner >= 0 && (best >= value || float.IsNaN(best))) continue;
                    best = value;
                    winner = i * w.Size + j;
                }
            }
            *output = best;
            if (kept != null) *kept = (byte)winner;
        }
    }

    /// <summary>The part of a window that lies inside the input.</summary>
    private readonly record struct Place(int Top, int Bottom, int Left, int Right);

    private readonly struct BackwardBody(Windows w, WorkQueue rows, float* dy, byte* winners, int batch, bool accumulate, float* dx) : IVectorBody
    {
        private readonly bool _nonTemporal = w.Input.Channels % 16 == 0 && Caches.Outgrown(dx, (long)batch * w.Input.Elements);

        public void Execute<L, V>(int worker, int workers) where L : struct, ILanes<V> where V : struct
        {
            for (int row; (row = rows.Next(worker)) >= 0;)
            {
                long sample = row / w.Input.Height;
                (int top, int bottom) = Covering(row % w.Input.Height, w.Output.Height);
                for (int column = 0; column < w.Input.Width; column++)
                {
                    (int left, int right) = Covering(column, w.Output.Width);
                    int corner = (row % w.Input.Height + w.Padding) * w.Size + column + w.Padding;
                    Gather<L, V>(sample, new Place(top, bottom, left, right), corner, dx + ((long)row * w.Input.Width + column) * w.Input.Channels);
                }
            }
        }

        /// <summary>First and one past the last window, along one axis, that has the input position in it.</summary>
        private (int First, int End) Covering(int position, int windows)
        {
            int padded = position + w.Padding;
            int first = padded < w.Size ? 0 : (padded - w.Size) / w.Stride + 1;
            return (first, Math.Min(windows, padded / w.Stride + 1));
        }

        /// <param name="corner">Place of the position in the window that starts at 0; each step of a window takes its stride off.</param>
        private void Gather<L, V>(long sample, Place windows, int corner, float* target) where L : struct, ILanes<V> where V : struct
        {
            int channels = w.Input.Channels, c = 0;
            for (; c <= channels - L.Count; c += L.Count)
            {
                V sum = accumulate ? L.Load(target + c) : default;
                for (int i = windows.Top; i < windows.Bottom; i++)
                {
                    for (int j = windows.Left; j < windows.Right; j++)
                    {
                        long at = ((sample * w.Output.Height + i) * w.Output.Width + j) * channels + c;
                        int place = corner - w.Stride * (i * w.Size + j);
                        sum = L.Add(sum, L.And(L.BytesEqual(winners + at, place), L.Load(dy + at)));
                    }
                }
                if (_nonTemporal) L.StoreNonTemporal(sum, target + c);
                else L.Store(sum, target + c);
            }
            for (; c < channels; c++)
            {
                float sum = accumulate ? target[c] : 0;
                for (int i = windows.Top; i < windows.Bottom; i++)
                {
                    for (int j = windows.Left; j < windows.Right; j++)
                    {
                        long at = ((sample * w.Output.Height + i) * w.Output.Width + j) * channels + c;
                        if (winners[at] == corner - w.Stride * (i * w.Size + j)) sum += dy[at];
                    }
                }
                target[c] = sum;
            }
        }
    }
}
