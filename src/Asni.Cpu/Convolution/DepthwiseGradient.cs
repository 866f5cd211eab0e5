using System.Runtime.InteropServices;
using Asni.Devices;

namespace Asni.Cpu.Convolution;

/// <summary>
/// The weight gradient of a depthwise convolution: dw(tap) = sum over positions of x * dy, channel by channel. Each worker has sums of its own over rows of the batch. A row of
/// outputs is passed once for each row of the filter, whose sums, three taps at a time, stay in registers; those of one or two taps, which are left in rows of other widths, do not.
/// </summary>
internal sealed unsafe class DepthwiseGradient : IDisposable
{
    /// <summary>Taps that are summed at once.</summary>
    private const int Together = 3;

    private readonly ConvolutionSpec _spec;
    private readonly Workers _workers;
    private readonly DepthwiseAxis _rows;

    /// <summary>For each group of neighbouring taps of a filter row: the output columns that they all read at.</summary>
    private readonly TapGroup[] _groups;

    private readonly CpuBuffer _partials;

    public DepthwiseGradient(in ConvolutionSpec spec, Workers workers)
    {
        (_spec, _workers) = (spec, workers);
        _rows = DepthwiseAxis.Forward(spec.Input.Height, spec.Output.Height, spec.Filter.Height, spec.Stride, spec.Padding);
        _groups = [.. Group(spec)];
        _partials = new CpuBuffer(workers.Count * Weights * sizeof(float));
    }

    private long Weights => (long)_spec.Filter.Out * _spec.Filter.FanIn;

    /// <param name="macs">Of the batch.</param>
    /// <param name="dw">[height, width, channels]</param>
    public void Run(float* x, float* dy, int batch, long macs, float* dw)
    {
        float* partials = (float*)_partials.Pointer;
        _workers.Vectorize(macs, new Body { Gradient = this, Batch = batch, X = x, Dy = dy, Partials = partials });
        int parts = macs >= WorkersExtensions.SmallestParallel ? _workers.Count : 1;
        for (long i = 0; i < Weights; i++)
        {
            float sum = 0;
            for (int part = 0; part < parts; part++) sum += partials[part * Weights + i];
            dw[i] = sum;
        }
    }

    public void Dispose() => _partials.Dispose();

    /// <summary>Taps of a filter row, and the columns [From, To) at which each of them lies in the source.</summary>
    private readonly record struct TapGroup(int First, int Count, int From, int To);

    private static IEnumerable<TapGroup> Group(ConvolutionSpec spec)
    {
        for (int first = 0; first < spec.Filter.Width; first += Together)
        {
            int count = Math.Min(Together, spec.Filter.Width - first);
            var taps = DepthwiseAxis.Forward(spec.Input.Width, spec.Output.Width, count, spec.Stride, spec.Padding - first);
            yield return new TapGroup(first, count, taps.WholeFrom, taps.WholeTo);
        }
    }

    private struct Body : IVectorBody
    {
        public DepthwiseGradient Gradient;
        public int Batch;
        public float* X, Dy, Partials;

        public readonly void Execute<L, V>(int worker, int workers) where L : struct, ILanes<V> where V : struct
        {
            ConvolutionSpec spec = Gradient._spec;
            int channels = spec.Filter.Out, height = spec.Output.Height;
            float* dw = Partials + worker * Gradient.Weights;
            NativeMemory.Clear(dw, (nuint)(Gradient.Weights * sizeof(float)));
            (long from, long to) = Partition.Range((long)Batch * height, worker, workers);
            Span<(int Shift, int Tap)> taps = stackalloc (int, int)[spec.Filter.Height];
            for (long row = from; row < to; row++)
            {
                int oh = (int)(row % height), count = Gradient._rows.Read(oh, taps);
                float* dy = Dy + row * spec.Output.Width * channels;
                foreach ((int shift, int tap) in taps[..count])
                {
                    float* x = X + (row / height * spec.Input.Height + oh * spec.Stride + shift) * spec.Input.Width * channels;
                    foreach (TapGroup group in Gradient._groups) Row<L, V>(group, x, dy, dw + ((long)tap * spec.Filter.Width + group.First) * channels);
                }
            }
        }

        /// <summary>A group of taps over one output row.</summary>
        private readonly void Row<L, V>(in TapGroup group, float* x, float* dy, float* dw) where L : struct, ILanes<V> where V : struct
        {
            Taps<L, V>(group, x, dy, 0, group.From, 0, dw);
            int channels = Gradient._spec.Filter.Out, stride = Gradient._spec.Stride, c = 0;
            float* wholeX = x + ((nint)group.From * stride + group.First - Gradient._spec.Padding) * channels, wholeDy = dy + (nint)group.From * channels;
            if (group.Count == Together)
                for (; c <= channels - L.Count; c += L.Count) Three<L, V>(wholeX + c, (nint)stride * channels, wholeDy + c, channels, group.To - group.From, dw + c);
            if (c < channels) Taps<L, V>(group, x, dy, group.From, group.To, c, dw);
            Taps<L, V>(group, x, dy, group.To, Gradient._spec.Output.Width, 0, dw);
        }

        /// <summary>Three neighbouring taps of one vector of channels.</summary>
        private static void Three<L, V>(float* x, nint step, float* dy, nint channels, int columns, float* dw) where L : struct, ILanes<V> where V : struct
        {
            V d0 = L.Load(dw), d1 = L.Load(dw + channels), d2 = L.Load(dw + 2 * channels);
            for (int ow = 0; ow < columns; ow++, x += step, dy += channels)
            {
                V g = L.Load(dy);
                d0 = L.Fma(L.Load(x), g, d0);
                d1 = L.Fma(L.Load(x + channels), g, d1);
                d2 = L.Fma(L.Load(x + 2 * channels), g, d2);
            }
            L.Store(d0, dw);
            L.Store(d1, dw + channels);
            L.Store(d2, dw + 2 * channels);
        }

        /// <summary>Tap by tap, where not all may lie in the source, for the channels from <paramref name="c"/> on.</summary>
        private readonly void Taps<L, V>(in TapGroup group, float* x, float* dy, int from, int to, int c, float* dw) where L : struct, ILanes<V> where V : struct
        {
            ConvolutionSpec spec = Gradient._spec;
            int channels = spec.Filter.Out;
            for (int tap = 0; tap < group.Count; tap++)
                for (int ow = from; ow < to; ow++)
                {
                    int iw = ow * spec.Stride + group.First + tap - spec.Padding;
                    if ((uint)iw < (uint)spec.Input.Width) MultiplyAdd<L, V>(x + (nint)iw * channels + c, dy + (nint)ow * channels + c, channels - c, dw + (nint)tap * channels + c);
                }
        }

        /// <summary>to += a * b over all channels.</summary>
        private static void MultiplyAdd<L, V>(float* a, float* b, int channels, float* to) where L : struct, ILanes<V> where V : struct
        {
            int c = 0;
            for (; c <= channels - L.Count; c += L.Count) L.Store(L.Fma(L.Load(a + c), L.Load(b + c), L.Load(to + c)), to + c);
            for (; c < channels; c++) to[c] += a[c] * b[c];
        }
    }
}
