using System.Runtime.InteropServices;
using Asni.Devices;

namespace Asni.Cpu.Convolution;

/// <summary>
/// One filter a channel: no reduction over channels, so vectors run along them and every tap is a multiply-add of three rows. Bound by
/// memory; each worker takes rows of the batch.
/// </summary>
internal sealed unsafe class DepthwiseConvolution : ConvolutionOperation
{
    private readonly Workers _workers;
    private readonly OutputGradient? _output;
    private readonly CpuBuffer? _partials;

    public DepthwiseConvolution(in ConvolutionSpec spec, Workers workers) : base(spec)
    {
        _workers = workers;
        if (!spec.Training) return;
        _output = new OutputGradient(spec.Filter.Out, workers);
        _partials = new CpuBuffer(workers.Count * Weights * sizeof(float));
    }

    private long Weights => (long)Spec.Filter.Out * Spec.Filter.FanIn;
    private long Macs(int batch) => batch * Spec.Macs;

    public override void Forward(DeviceTensor x, ParameterTensor w, ParameterTensor? b, DeviceTensor y) =>
        _workers.Vectorize(Macs(x.Batch), new ForwardBody
        {
            Spec = Spec,
            Clamp = Clamp.FromActivation(Spec.Activation),
            Batch = x.Batch,
            X = CpuBuffer.Floats(x),
            W = CpuBuffer.Floats(w),
            Bias = b is { } bias ? CpuBuffer.Floats(bias) : null,
            Y = CpuBuffer.Floats(y),
        });

    public override void BackwardOutput(DeviceTensor y, ParameterTensor? db, DeviceTensor dy) =>
        _output!.Run(CpuBuffer.Floats(y), Clamp.FromActivation(Spec.Activation), (long)dy.Batch * Spec.Output.Positions, CpuBuffer.Floats(dy), db is { } bias ? CpuBuffer.Floats(bias) : null);

    public override void BackwardWeights(DeviceTensor x, DeviceTensor dy, ParameterTensor dw, bool dense = false)
    {
        long macs = Macs(x.Batch);
        float* partials = (float*)_partials!.Pointer, to = CpuBuffer.Floats(dw);
        _workers.Vectorize(macs, new WeightBody { Spec = Spec, Batch = x.Batch, X = CpuBuffer.Floats(x), Dy = CpuBuffer.Floats(dy), Partials = partials });
        int parts = macs >= WorkersExtensions.SmallestParallel ? _workers.Count : 1;
        for (long i = 0; i < Weights; i++)
        {
            float sum = 0;
            for (int part = 0; part < parts; part++) sum += partials[part * Weights + i];
            to[i] = sum;
        }
    }

    public override void BackwardData(DeviceTensor dy, ParameterTensor w, bool accumulate, DeviceTensor dx) =>
        _workers.Vectorize(Macs(dy.Batch), new DataBody
        {
            Spec = Spec,
            Batch = dy.Batch,
            Dy = CpuBuffer.Floats(dy),
            W = CpuBuffer.Floats(w),
            Accumulate = accumulate,
            Dx = CpuBuffer.Floats(dx),
        });

    public override void Dispose()
    {
        _output?.Dispose();
        _partials?.Dispose();
        base.Dispose();
    }

    /// <summary>to += a * b over all channels.</summary>
    private static void MultiplyAdd<L, V>(float* a, float* b, int channels, float* to) where L : struct, ILanes<V> where V : struct
    {
        int c = 0;
        for (; c <= channels - L.Count; c += L.Count) L.Store(L.Fma(L.Load(a + c), L.Load(b + c), L.Load(to + c)), to + c);
        for (; c < channels; c++) to[c] += a[c] * b[c];
    }

    private struct ForwardBody : IVectorBody
    {
        public ConvolutionSpec Spec;
        public int Batch;
        public Clamp Clamp;
        public float* X, W, Bias, Y;

        public readonly void Execute<L, V>(int worker, int workers) where L : struct, ILanes<V> where V : struct
        {
            int channels = Spec.Filter.Out, height = Spec.Output.Height, width = Spec.Output.Width;
            (long from, long to) = Partition.Range((long)Batch * height, worker, workers);
            var epilogue = new Epilogue(channels, Bias, false, Clamp);
            for (long row = from; row < to; row++)
                for (int ow = 0; ow < width; ow++)
                {
                    float* y = Y + (row * width + ow) * channels;
                    new Span<float>(y, channels).Clear();
                    Position<L, V>(row / height, (int)(row % height), ow, y);
                    epilogue.Store<L, V>(y, y);
                }
        }

        private readonly void Position<L, V>(long image, int oh, int ow, float* y) where L : struct, ILanes<V> where V : struct
        {
            int channels = Spec.Filter.Out;
            for (int kh = 0; kh < Spec.Filter.Height; kh++)
            {
                int ih = oh * Spec.Stride + kh - Spec.Padding;
                if (ih < 0 || ih >= Spec.Input.Height) continue;
                for (int kw = 0; kw < Spec.Filter.Width; kw++)
                {
                    int iw = ow * Spec.Stride + kw - Spec.Padding;
                    if (iw < 0 || iw >= Spec.Input.Width) continue;
                    float* x = X + ((image * Spec.Input.Height + ih) * Spec.Input.Width + iw) * channels;
                    MultiplyAdd<L, V>(x, W + (kh * Spec.Filter.Width + kw) * channels, channels, y);
                }
            }
        }
    }

    private struct DataBody : IVectorBody
    {
        public ConvolutionSpec Spec;
        public int Batch;
        public float* Dy, W, Dx;
        public bool Accumulate;

        public readonly void Execute<L, V>(int worker, int workers) where L : struct, ILanes<V> where V : struct
        {
            int channels = Spec.Filter.Out, height = Spec.Input.Height, width = Spec.Input.Width;
            (long from, long to) = Partition.Range((long)Batch * height, worker, workers);
            for (long row = from; row < to; row++)
                for (int iw = 0; iw < width; iw++)
                {
                    float* dx = Dx + (row * width + iw) * channels;
                    if (!Accumulate) new Span<float>(dx, channels).Clear();
                    Position<L, V>(row / height, (int)(row % height), iw, dx);
                }
        }

        private readonly void Position<L, V>(long image, int ih, int iw, float* dx) where L : struct, ILanes<V> where V : struct
        {
            int channels = Spec.Filter.Out;
            for (int kh = (ih + Spec.Padding) % Spec.Stride; kh < Spec.Filter.Height; kh += Spec.Stride)
            {
                int oh = (ih + Spec.Padding - kh) / Spec.Stride;
                if (ih + Spec.Padding < kh || oh >= Spec.Output.Height) continue;
                for (int kw = (iw + Spec.Padding) % Spec.Stride; kw < Spec.Filter.Width; kw += Spec.Stride)
                {
                    int ow = (iw + Spec.Padding - kw) / Spec.Stride;
                    if (iw + Spec.Padding < kw || ow >= Spec.Output.Width) continue;
                    float* dy = Dy + ((image * Spec.Output.Height + oh) * Spec.Output.Width + ow) * channels;
                    MultiplyAdd<L, V>(dy, W + (kh * Spec.Filter.Width + kw) * channels, channels, dx);
                }
            }
        }
    }

    private struct WeightBody : IVectorBody
    {
        public ConvolutionSpec Spec;
        public int Batch;
        public float* X, Dy, Partials;

        public readonly void Execute<L, V>(int worker, int workers) where L : struct, ILanes<V> where V : struct
        {
            int channels = Spec.Filter.Out, height = Spec.Output.Height;
            long weights = (long)channels * Spec.Filter.FanIn;
            float* dw = Partials + worker * weights;
            NativeMemory.Clear(dw, (nuint)(weights * sizeof(float)));
            (long from, long to) = Partition.Range((long)Batch * height, worker, workers);
            for (long row = from; row < to; row++)
                for (int kh = 0; kh < Spec.Filter.Height; kh++)
                {
                    int ih = (int)(row % height) * Spec.Stride + kh - Spec.Padding;
                    if (ih < 0 || ih >= Spec.Input.Height) continue;
                    float* x = X + (row / height * Spec.Input.Height + ih) * Spec.Input.Width * channels;
                    for (int kw = 0; kw < Spec.Filter.Width; kw++)
                        Row<L, V>(x, Dy + row * Spec.Output.Width * channels, kw - Spec.Padding, dw + (kh * Spec.Filter.Width + kw) * channels);
                }
        }

        /// <summary>One tap over one output row.</summary>
        private readonly void Row<L, V>(float* x, float* dy, int shift, float* dw) where L : struct, ILanes<V> where V : struct
        {
            int channels = Spec.Filter.Out;
            for (int ow = 0; ow < Spec.Output.Width; ow++)
            {
                int iw = ow * Spec.Stride + shift;
                if (iw >= 0 && iw < Spec.Input.Width) MultiplyAdd<L, V>(x + (long)iw * channels, dy + (long)ow * channels, channels, dw);
            }
        }
    }
}
